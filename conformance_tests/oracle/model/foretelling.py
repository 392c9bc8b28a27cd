"""What a sequence of attempts in one folder leads to.

Spec: 95-scenarios.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import Factory, define, frozen

from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.oracle.model.errors import Failure, Refusal, UnforeseenError
from tenuto.conformance_tests.oracle.model.folder import File, Folder
from tenuto.conformance_tests.oracle.model.lists import empty
from tenuto.conformance_tests.oracle.model.observing import EarlyStopping, Observer
from tenuto.conformance_tests.oracle.model.refusing import check
from tenuto.conformance_tests.oracle.model.replying import attempt_reply, listed, refusal_reply
from tenuto.conformance_tests.oracle.model.resuming import Choices, begin, check_fits, choose, usable_names
from tenuto.conformance_tests.oracle.model.saving import CheckpointCallback
from tenuto.conformance_tests.oracle.model.scenario import CHECKPOINT, OBSERVE, Action, Given, Scenario, read_scenario
from tenuto.conformance_tests.oracle.model.settings import Asked, read_early, read_saving, read_training, read_workload
from tenuto.conformance_tests.oracle.model.storing import Origin
from tenuto.conformance_tests.oracle.model.trainer import Callback, Trainer
from tenuto.conformance_tests.oracle.model.training import fresh, resumed


@frozen
class Attempt:
    """One attempt.

    Attributes:
        scenario: the JSON object of 95-scenarios.md.
        resume: `never`, `auto`, or the bare name of a checkpoint in the folder.
    """

    scenario: Mapping[str, Any]
    resume: str = "never"


@frozen
class Foretold:
    """What one attempt leads to.

    Attributes:
        reply: the members that the reply must have; no `detail` where the text leaves it free. `mismatches` has the
            settings alone: what else differs with them may stand there too (TR-REST-015).
        events: as in the file of events, with exactly the members of SCN-EVENT-001.
        files: every name that ends in `.ckpt` -> the canonical bytes of its document with an empty origin. Of one that
            is not exact only the progress is required (TR-LOOP-004); the rest is what a failure leaves here.
        newest: what `list` names; empty where `auto` would take nothing.
        listing: the checkpoints of `list`, without `run_id`.
        damaged: those of `list`.
        newest_names: every name that `list` may give as `newest`: all of one age are right (TR-RES-012).
        late_news: whether the moments of `on_checkpoint_saved` and `on_checkpoint_deleted`, with their progress and
            metrics, are free, as they are with `async_save`; their order is not.
    """

    reply: dict[str, Json]
    events: list[dict[str, Json]]
    files: dict[str, bytes]
    newest: str
    listing: list[dict[str, Json]]
    damaged: list[dict[str, Json]]
    newest_names: tuple[str, ...] = ()
    late_news: bool = False


@define
class Story:
    """Attempts that are carried out one after the other.

    Attributes:
        choices: what is taken where the text leaves it free.
        folder: as it is by now.
    """

    choices: Choices
    folder: Folder = Factory(Folder)

    def carry_out(self, attempt: Attempt) -> Foretold:
        """One more attempt."""
        scenario = read_scenario(attempt.scenario)
        _check_covered(scenario)
        try:
            trainer = self._start(scenario, attempt.resume)
        except Refusal as refusal:
            return self._foretold(refusal_reply(refusal), [])
        trainer.fit()
        if trainer.failure is None:
            _save_after(trainer, scenario.then)
        return self._foretold(attempt_reply(trainer), trainer.events, late_news=_is_late(scenario))

    def _start(self, scenario: Scenario, resume: str) -> Trainer:
        """The trainer of an attempt, restored.

        Spec: CB-STATE-003, CB-STATE-005, TR-RES-017, TR-REST-017.
        """
        check(scenario)
        settings, asked = read_workload(scenario), read_training(scenario)
        parent = self._parent(scenario, asked, resume)
        self.folder.is_foreign = self.folder.is_away and bool(self.folder.names)
        callbacks = _callbacks(scenario.callbacks, begin(self.folder, parent))
        if parent is None:
            training = fresh(settings, asked.max_epochs, asked.validate_every, scenario.metrics)
            return Trainer(training, callbacks, self.folder, is_resumed=False, max_steps=asked.max_steps)
        check_fits(parent, settings, asked)
        saved: Any = parent.document["callback_state"]
        for callback in callbacks:
            if callback.state_key in saved:
                callback.load_state_dict(saved[callback.state_key])
        training = resumed(parent.document, asked.max_epochs, scenario.metrics)
        exact = parent.exact
        return Trainer(training, callbacks, self.folder, is_resumed=True, max_steps=asked.max_steps, is_exact=exact)

    def _parent(self, scenario: Scenario, asked: Asked, resume: str) -> File | None:
        """The checkpoint that the attempt continues from.

        Spec: TR-RES-017.
        """
        saves = any(one.checkpoint is not None for one in scenario.callbacks)
        try:
            return choose(self.folder, resume, saves, self.choices.take)
        except Refusal as refusal:
            if refusal.code != "no_usable_checkpoint" or asked.on_unusable_checkpoint != "fresh":
                raise
            self.folder.clear()
            return None

    def _foretold(self, reply: dict[str, Json], events: list[dict[str, Json]], *, late_news: bool = False) -> Foretold:
        entries = self.folder.entries()
        names = usable_names(self.folder)
        return Foretold(
            reply=reply,
            events=events,
            files={name: file.data() for name, file in entries.items()},
            newest=names[0] if names else "",
            listing=[listed(name, file) for name, file in entries.items()],
            damaged=[],
            newest_names=tuple(names),
            late_news=late_news,
        )


def foretell(attempts: Sequence[Attempt]) -> list[Foretold]:
    """What attempts lead to that run one after the other in one folder that starts empty.

    Raises:
        UnforeseenError: the text leaves free what happens, does not say it, or the model does not cover it.
    """
    first, *others = list(stories(attempts))
    for other in others:
        if other != first:
            raise UnforeseenError("which of two checkpoints of one age auto takes is free (TR-RES-012), and it shows")
    return first


def stories(attempts: Sequence[Attempt]) -> Iterator[list[Foretold]]:
    """What attempts lead to, in every way that the text leaves free."""
    choices: Choices | None = Choices([], [])
    while choices is not None:
        story = Story(choices)
        yield [story.carry_out(attempt) for attempt in attempts]
        choices = choices.following()


def _check_covered(scenario: Scenario) -> None:
    names = [one.name for one in scenario.callbacks]
    if len(set(names)) < len(names):
        raise UnforeseenError("two callbacks of one name: whose events are whose is not said")
    if scenario.trainer.get("max_seconds") is not None:
        raise UnforeseenError("max_seconds: when it ends the attempt is a matter of the clock")


def _callbacks(given: Sequence[Given], origin: Origin) -> list[Callback]:
    """The callbacks in the order in which they are called.

    Spec: CB-ORDER-001, CB-ORDER-006.
    """
    made: list[Callback] = []

    for phase in (OBSERVE, CHECKPOINT):
        made += [_callback(one, origin) for one in given if one.phase == phase and one.checkpoint is None]
    return made + [_callback(one, origin) for one in given if one.checkpoint is not None]


def _callback(given: Given, origin: Origin) -> Callback:
    if given.checkpoint is not None:
        settings = read_saving(given.checkpoint)
        return CheckpointCallback(given.name, settings, origin, empty(settings.monitors))
    if given.early_stopping is not None:
        return EarlyStopping(given.name, read_early(given.early_stopping))
    return Observer(given, _save)


def _save(trainer: Trainer, action: Action) -> None:
    """A manual save inside a hook, whose error is dropped.

    Spec: section 2 of 95-scenarios.md.
    """
    with suppress(Failure):
        _saver(trainer.callbacks, action).manual(trainer, action.metrics)


def _save_after(trainer: Trainer, actions: Sequence[Action]) -> None:
    """Manual saves after the training, of which the first that fails is the outcome.

    Spec: section 2 of 95-scenarios.md, CPC-CALL-007.
    """
    try:
        for action in actions:
            _saver(trainer.callbacks, action).manual(trainer, action.metrics)
    except Failure as failure:
        trainer.failure = failure


def _saver(callbacks: Sequence[Callback], action: Action) -> CheckpointCallback:
    for one in callbacks:
        if isinstance(one, CheckpointCallback) and one.name == action.word:
            return one
    raise UnforeseenError(f"a manual save by {action.word!r}: expected the name of the checkpoint callback")


def _is_late(scenario: Scenario) -> bool:
    """Whether saves are made in the background.

    Spec: CPC-ASYNC-003, CPC-ASYNC-004.
    """
    if not any(one.checkpoint and one.checkpoint.get("async_save") for one in scenario.callbacks):
        return False
    actions = [action for one in scenario.callbacks for action in one.actions]
    if any(one.do in {"break", "save"} or one.hook.startswith("on_checkpoint_") for one in actions):
        raise UnforeseenError("async_save: what this leads to depends on when the save ends, which is free")
    return True
