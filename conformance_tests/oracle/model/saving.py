"""The checkpoint callback: when it saves, under which names, and what goes.

Spec: 20-checkpoint-callback.md.
"""

from collections.abc import Mapping
from typing import Any

from attrs import Factory, define

from tenuto.conformance_tests.oracle.model.errors import Failure, UnforeseenError
from tenuto.conformance_tests.oracle.model.folder import File
from tenuto.conformance_tests.oracle.model.lists import Lists, Update, as_tree, enter, restored
from tenuto.conformance_tests.oracle.model.naming import emergency_name
from tenuto.conformance_tests.oracle.model.retention import Progress
from tenuto.conformance_tests.oracle.model.settings import SAVING_KEY, Saving
from tenuto.conformance_tests.oracle.model.storing import Origin, Store
from tenuto.conformance_tests.oracle.model.trainer import Trainer
from tenuto.conformance_tests.oracle.tree import Document, Tree
from tenuto.conformance_tests.oracle.workload.state import document

News = list[tuple[str, dict[str, Any]]]


@define
class CheckpointCallback:
    """The port's checkpoint callback.

    Attributes:
        name: in the scenario.
        settings: what it was made with.
        origin: which attempt it saves for.
        lists: the best list of each monitor.
        last_epoch, last_step: of the last saves by epochs and by steps.
        saved: the progress of the last save, if it counts for the final save.
        failures: failed saves in a row.
        news: of manual saves, not told yet.
        validated: whether the epoch in progress had a validation.
        is_ready: whether its `on_train_start` has been called and has not failed.
    """

    name: str
    settings: Saving
    origin: Origin
    lists: Lists = Factory(dict)
    last_epoch: int = 0
    last_step: int = 0
    saved: Progress | None = None
    failures: int = 0
    news: News = Factory(list)
    validated: bool = False
    is_ready: bool = False
    state_key: str = SAVING_KEY

    def act(self, hook: str, trainer: Trainer) -> None:
        """Do what is due in a hook.

        Spec: CPC-WHEN-001 to CPC-WHEN-004, CPC-ERR-003, STORE-SAVE-011, CPC-CALL-007.
        """
        match hook:
            case "on_train_start":
                self._start(trainer)
            case "on_batch_end":
                if self.settings.save_every_steps is not None or self.settings.async_save:
                    self._tell_manual(trainer)
                self._by_steps(trainer)
            case "on_validation_end":
                self.validated = True
            case "on_epoch_end":
                self._tell_manual(trainer)
                self._end_of_epoch(trainer)
            case "on_train_end":
                self._tell_manual(trainer)
                self._final(trainer)
            case "on_exception":
                self._tell_manual(trainer)
                self._emergency(trainer)

    def _start(self, trainer: Trainer) -> None:
        """Try the folder, and make the names good.

        Spec: STORE-SAVE-011, CPC-NAME-006, CPC-WHEN-009.
        """
        if trainer.folder.is_away:
            raise Failure("not_a_folder")
        self._store(trainer).make_good(self.lists)
        self.is_ready = True
        parent = self.origin.parent
        if parent is not None and not parent.is_emergency:
            self.saved = parent.progress

    def _store(self, trainer: Trainer) -> Store:
        return Store(trainer.folder, self.settings, self.origin)

    def _by_steps(self, trainer: Trainer) -> None:
        """A save by steps.

        Spec: CPC-WHEN-002, CPC-ERR-005.
        """
        every, step = self.settings.save_every_steps, trainer.training.global_step
        if every is not None and step - self.last_step >= every:
            self.last_step = step
            self._save(trainer, ("periodic",), None)

    def _end_of_epoch(self, trainer: Trainer) -> None:
        """A save by epochs, of a best value, or of both.

        Spec: CPC-WHEN-001, CPC-WHEN-003, CPC-WHEN-005, CPC-WHEN-012, CPC-BEST-007, CPC-ERR-005.
        """
        training, every = trainer.training, self.settings.save_frequency
        is_due = every is not None and training.epoch - self.last_epoch >= every
        update = enter(self.settings.monitors, self.lists, training.metrics, training.progress)
        self._refuse_missing(trainer, is_due or bool(update.entered))
        if is_due:
            self.last_epoch = training.epoch
        reasons = ("periodic",) * is_due + ("best",) * bool(update.entered)
        if reasons:
            self._save(trainer, reasons, update)

    def _refuse_missing(self, trainer: Trainer, is_due: bool) -> None:
        """Fail for a monitor that was never measured, where that is asked for.

        Spec: CPC-BEST-007.
        """
        validated, self.validated = self.validated, False
        looked = validated or not trainer.training.validation
        missing = [one.monitor for one in self.settings.monitors if one.monitor not in trainer.training.metrics]
        if missing and looked and self.settings.strict_monitor:
            if is_due:
                raise UnforeseenError("strict_monitor: whether the save of the same event is made first is not said")
            raise Failure("monitor_missing")

    def _final(self, trainer: Trainer) -> None:
        """The final save.

        Spec: CPC-WHEN-004, CPC-WHEN-009, CPC-ERR-004.
        """
        if self.settings.save_on_train_end and trainer.training.progress != self.saved:
            self._save(trainer, ("train_end",), None, is_final=True)

    def _emergency(self, trainer: Trainer) -> None:
        """The emergency save; one that fails is only logged.

        Spec: CPC-ERR-003, CPC-ERR-008, CPC-NAME-002, TR-STATE-004, TR-FAIL-007.
        """
        training, failure = trainer.training, trainer.failure
        if not self.is_ready and self._store(trainer).needs_repair(self.lists):
            raise UnforeseenError("a failure before the names are made good: whether they are is not said")
        if not self.settings.save_on_exception or training.progress == (0, 0, 0) or failure is None:
            return
        if trainer.folder.is_away:
            return
        reason = "signal" if failure.is_signal else "exception"
        file = self._file(trainer, (reason,), exact=failure.is_signal and trainer.is_exact)
        name = emergency_name(training.progress)
        deleted = self._store(trainer).save(file, [name], {}, self.lists)
        self._tell(trainer, self._news([name], (reason,), deleted))

    def manual(self, trainer: Trainer, metrics: Mapping[str, float]) -> None:
        """A manual save, inside a hook or after the training; raises `Failure` if it fails.

        Spec: CPC-CALL-001, CPC-CALL-003, CPC-CALL-004, CPC-CALL-008, CPC-WHEN-006, CPC-ERR-008.
        """
        training, hook = trainer.training, trainer.hook
        if hook == "on_train_start" and self.origin.parent:
            raise UnforeseenError(
                "a manual save in on_train_start of a resumed attempt: where latest leads is not said"
            )
        if hook and training.settings.scheduler == "plateau" and "val_loss" in metrics:
            raise UnforeseenError("val_loss of a manual save: whether plateau looks at it is not said")
        training.record(metrics)
        if trainer.folder.is_away:
            raise Failure("not_a_folder")
        update = enter(self.settings.monitors, self.lists, training.metrics, training.progress)
        reasons = ("best",) * bool(update.entered) + ("manual",)
        news = self._write(trainer, reasons, update, exact=not hook and trainer.is_exact)
        if hook:
            self.news += news

    def _save(
        self, trainer: Trainer, reasons: tuple[str, ...], update: Update | None, *, is_final: bool = False
    ) -> None:
        """One write with all its names, and the news of it.

        Spec: CPC-WHEN-005, CPC-ERR-001, CPC-ERR-002, CPC-ERR-004, CPC-ERR-009, CPC-ERR-010, CB-HOOK-016.
        """
        if trainer.folder.is_away:
            self.failures += 1
            if is_final or self.failures >= self.settings.max_save_failures:
                raise Failure("not_a_folder")
            return
        self._tell(trainer, self._write(trainer, reasons, update or Update(self.lists, {}, {}), exact=trainer.is_exact))

    def _write(self, trainer: Trainer, reasons: tuple[str, ...], update: Update, *, exact: bool) -> News:
        """The file of a save, its names and deletions; returns the news of it.

        Spec: CPC-WHEN-009, CPC-BEST-013, CPC-ERR-009, CB-HOOK-016.
        """
        self.failures = 0
        self.lists = update.lists
        store, file = self._store(trainer), self._file(trainer, reasons, exact=exact)
        names = store.names(file, update)
        deleted = store.save(file, names, update.left, self.lists)
        self.saved = trainer.training.progress if exact else None
        return self._news(names, reasons, deleted)

    def _file(self, trainer: Trainer, reasons: tuple[str, ...], *, exact: bool) -> File:
        """The state of the last boundary.

        Spec: TR-STATE-001, TR-STATE-002, CB-STATE-001, CPC-STATE-003, CPC-BEST-013, TR-FAIL-011.
        """
        whole: Document = document(trainer.training)
        states: dict[str, Tree] = {one.state_key: one.state_dict() for one in trainer.callbacks if one.state_key}
        metadata: Any = whole["metadata"]
        best = {monitor: as_tree(entries) for monitor, entries in self.lists.items()}
        whole |= {"metadata": metadata | {"best": best, "exact": exact}, "callback_state": states}
        return File(whole, self.origin.attempt, reasons, self.origin.lineage, trainer.training.progress, exact)

    @staticmethod
    def _news(names: list[str], reasons: tuple[str, ...], deleted: list[str]) -> News:
        saved: News = [("on_checkpoint_saved", {"names": list(names), "reasons": list(reasons)})]
        return saved + [("on_checkpoint_deleted", {"file": name}) for name in deleted]

    @staticmethod
    def _tell(trainer: Trainer, news: News) -> None:
        """Tell every callback.

        Spec: CB-HOOK-009, CB-HOOK-010.
        """
        for hook, told in news:
            trainer.call(hook, **told)

    def _tell_manual(self, trainer: Trainer) -> None:
        """Tell what manual saves did since the last event.

        Spec: CPC-CALL-007, CB-FAIL-005.
        """
        news, self.news = self.news, []
        try:
            self._tell(trainer, news)
        except Failure as failure:
            if trainer.failure:
                raise UnforeseenError(
                    "a hook fails before an emergency save: whether that is made is not said"
                ) from failure
            raise

    def state_dict(self) -> Tree:
        """The state.

        Spec: CPC-STATE-001, CPC-STATE-002.
        """
        modes = {one.monitor: one.mode for one in self.settings.monitors}
        best: dict[str, Tree] = {
            monitor: {"mode": modes[monitor], "entries": as_tree(entries)} for monitor, entries in self.lists.items()
        }
        return {"last_epoch": self.last_epoch, "last_step": self.last_step, "best": best}

    def load_state_dict(self, state: Tree) -> None:
        """Take over a saved state.

        Spec: CPC-BEST-008, CPC-BEST-014.
        """
        whole: Any = state  # written by another attempt of the model
        if not isinstance(state, Mapping) or state.keys() != {"last_epoch", "last_step", "best"}:
            raise UnforeseenError(f"state of {self.name}: {state!r}; it is that of another callback")
        self.last_epoch, self.last_step = whole["last_epoch"], whole["last_step"]
        self.lists = restored(self.settings.monitors, whole["best"])
