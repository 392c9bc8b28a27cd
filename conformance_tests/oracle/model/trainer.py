"""The loop of one attempt: which hooks are called in which order, and how it ends.

Spec: sections 1 to 3 of 10-callbacks.md, 35-failure-contract.md.
"""

from collections.abc import Sequence
from typing import Protocol

from attrs import Factory, define, frozen

from tenuto.conformance_tests.oracle.document import Json, scalar
from tenuto.conformance_tests.oracle.model.errors import Failure, UnforeseenError
from tenuto.conformance_tests.oracle.model.folder import Folder
from tenuto.conformance_tests.oracle.model.training import Stepwise
from tenuto.conformance_tests.oracle.tree import Tree

LAST_HOOKS = frozenset({"on_train_end", "on_exception", "on_teardown"})
MOMENTS = {
    "on_train_start": "start",
    "on_epoch_start": "batch",
    "on_batch_start": "batch",
    "on_batch_end": "batch",
    "on_validation_start": "epoch",
    "on_validation_end": "epoch",
    "on_epoch_end": "epoch",
}
"""By hook: at the end of what a stop that is requested in it is honored (CB-STOP-001)."""


class Callback(Protocol):
    """What the trainer calls."""

    @property
    def name(self) -> str:
        """Its name in the scenario."""

    @property
    def state_key(self) -> str:
        """Under which key its state is saved; empty if it has none."""

    def act(self, hook: str, trainer: "Trainer") -> None:
        """Do what it does in a hook, after the call was noted; may raise `Failure`."""

    def state_dict(self) -> Tree:
        """Its state."""

    def load_state_dict(self, state: Tree) -> None:
        """Take over a saved state."""


@frozen
class Stop:
    """A stop that was requested.

    Attributes:
        reason: None where the text gives none.
        moment: at the end of what it is honored.
    """

    reason: str | None
    moment: str


@define
class Trainer:
    """One attempt.

    Attributes:
        training: what is trained.
        callbacks: in the order in which they are called.
        folder: where checkpoints go.
        is_resumed: whether it continues a restored state.
        max_steps: at which `global_step` it ends.
        is_exact: whether the state of the last boundary is exact (TR-REST-017).
        events: the calls so far.
        hook: the hook that is being called, the outer one where hooks come inside another; empty between them.
        stop: the first that was requested.
        signal: the name of the first that has arrived, else empty.
        failure: what ended the attempt.
    """

    training: Stepwise
    callbacks: Sequence[Callback]
    folder: Folder
    is_resumed: bool
    max_steps: int | None = None
    is_exact: bool = True
    events: list[dict[str, Json]] = Factory(list)
    hook: str = ""
    stop: Stop | None = None
    signal: str = ""
    failure: Failure | None = None

    def fit(self) -> None:
        """The whole attempt.

        Spec: CB-HOOK-005, CB-HOOK-007, TR-FAIL-001, TR-FAIL-002.
        """
        try:
            self.call("on_train_start", resumed=self.is_resumed)
            if self._goes_on():
                self._epochs()
            self.call("on_train_end")
        except Failure as failure:
            self.failure = failure
            exact = failure.is_signal and self.is_exact
            self._call_all("on_exception", code=failure.code, exact=exact, is_signal=failure.is_signal)
        self._call_all("on_teardown")

    def call(self, hook: str, **told: Json) -> None:
        """Call a hook of every callback; one that fails keeps the others from being called.

        Spec: CB-ORDER-001, CB-HOOK-009, CB-FAIL-001.
        """
        outer, self.hook = self.hook, self.hook or hook
        try:
            for callback in self.callbacks:
                self._note(hook, callback, told)
                callback.act(hook, self)
        finally:
            self.hook = outer

    def _call_all(self, hook: str, **told: Json) -> None:
        """Call a hook of every callback, whatever fails there.

        Spec: CB-FAIL-002, CB-FAIL-003, TR-FAIL-013.
        """
        self.hook = hook
        for callback in self.callbacks:
            self._note(hook, callback, told)
            try:
                callback.act(hook, self)
            except Failure:
                continue
        self.hook = ""

    def _note(self, hook: str, callback: Callback, told: dict[str, Json]) -> None:
        """Note one call.

        Spec: SCN-EVENT-001, CB-HOOK-013, TR-FAIL-014.
        """
        progress: list[Json] = [scalar(number) for number in self.training.progress]
        metrics: dict[str, Json] = {
            name: [scalar(value), scalar(step)] for name, (value, step) in self.training.metrics.items()
        }
        self.events.append({"hook": hook, "name": callback.name, "progress": progress, "metrics": metrics, **told})

    def request_stop(self, reason: str | None) -> None:
        """Ask for a normal end.

        Spec: CB-STOP-001, CB-STOP-003, CB-STOP-005, CB-STOP-006.
        """
        if self.stop is None and self.hook not in LAST_HOOKS:
            self.stop = Stop(reason, MOMENTS[self.hook])

    def arrive(self, name: str) -> None:
        """A signal arrives.

        Spec: TR-FAIL-003, TR-FAIL-017, TR-FAIL-026.
        """
        if name == "SIGINT" and self.signal:
            raise UnforeseenError("a SIGINT after another signal: where it ends the attempt depends on the language")
        self.signal = self.signal or name

    def _goes_on(self) -> bool:
        """Whether anything is left to do after `on_train_start`.

        Spec: TR-FAIL-018, CB-STOP-001, TR-LOOP-014, TR-RES-009.
        """
        training = self.training
        left = training.max_epochs - training.epoch
        if left <= 0 and training.batch_in_epoch:
            raise UnforeseenError("resumed inside an epoch beyond the last: whether that epoch is finished is not said")
        is_over = left <= 0 or self._has_all_steps()
        if self.signal and not is_over:
            if left == 1 and training.batch_in_epoch == training.batches:
                raise UnforeseenError("a signal in on_train_start before the end of the last epoch: two clauses differ")
            self._interrupt()
        if self.signal and left > 0:
            raise UnforeseenError("a signal in on_train_start after the last step: whether it is honored is not said")
        return not is_over and not self.stop

    def _has_all_steps(self) -> bool:
        """Whether the last step of the run is made.

        Spec: TR-LOOP-014.
        """
        return self.max_steps is not None and self.training.global_step >= self.max_steps

    def _epochs(self) -> None:
        """Epochs, to the last one or a stop.

        Spec: TR-FAIL-015, TR-FAIL-016, CB-HOOK-006, CB-HOOK-015.
        """
        training = self.training
        while training.epoch < training.max_epochs and not self.stop:
            if self.signal:
                self._interrupt()
            if training.batch_in_epoch == 0:
                self.call("on_epoch_start")
            self._batches()
            if self.stop:
                return
            if training.validates:
                self._validation()
            training.end_epoch()
            self.is_exact = True
            self.call("on_epoch_end")

    def _batches(self) -> None:
        """The batches that are left of an epoch, or those up to a stop.

        Spec: CB-STOP-004, TR-FAIL-016, TR-FAIL-024, TR-LOOP-014, TR-LOOP-017.
        """
        training = self.training
        while training.batch_in_epoch < training.batches:
            self.call("on_batch_start")
            training.batch()
            self.is_exact = True
            self.call("on_batch_end")
            if self.signal:
                self._interrupt()
            if self._has_all_steps() and not self.stop:
                self.stop = Stop("max_steps", "batch")
            if self.stop:
                return

    def _validation(self) -> None:
        """Validation; a signal is honored at the end of its first batch.

        Spec: TR-FAIL-003, TR-FAIL-004, TR-FAIL-025.
        """
        self.call("on_validation_start")
        if self.signal:
            self._interrupt()
        self.training.validate()
        self.call("on_validation_end")

    def _interrupt(self) -> None:
        raise Failure(self.signal, is_signal=True)
