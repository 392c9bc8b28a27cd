"""Observers, with their actions and counts, and early stopping.

Spec: section 2 of 95-scenarios.md, section 6 of 10-callbacks.md.
"""

from collections import Counter
from collections.abc import Callable
from math import isnan

from attrs import Factory, define

from tenuto.conformance_tests.oracle.model.errors import Failure, UnforeseenError
from tenuto.conformance_tests.oracle.model.ranking import improves
from tenuto.conformance_tests.oracle.model.scenario import Action, Given
from tenuto.conformance_tests.oracle.model.settings import EarlyStop
from tenuto.conformance_tests.oracle.model.trainer import Trainer
from tenuto.conformance_tests.oracle.tree import Tree

Save = Callable[[Trainer, Action], None]


@define
class Observer:
    """A callback of the scenario.

    Attributes:
        given: what it is.
        save: makes a manual save.
        calls: of each hook in this attempt.
        batches: calls of `on_batch_end` over the run.
    """

    given: Given
    save: Save
    calls: Counter[str] = Factory(Counter)
    batches: int = 0

    @property
    def name(self) -> str:
        """The name."""
        return self.given.name

    @property
    def state_key(self) -> str:
        """The key of its state."""
        return self.name if self.given.counts else ""

    def act(self, hook: str, trainer: Trainer) -> None:
        """Count the call, and do what is asked for in it."""
        self.calls[hook] += 1
        self.batches += hook == "on_batch_end"
        for action in self.given.actions:
            if (action.hook, action.call) == (hook, self.calls[hook]):
                self._do(action, trainer)

    def _do(self, action: Action, trainer: Trainer) -> None:
        match action.do:
            case "stop":
                trainer.request_stop(action.word)
            case "raise":
                raise Failure(action.word)
            case "signal":
                trainer.arrive(action.word)
            case "save":
                self.save(trainer, action)
            case "break":
                trainer.folder.put_away()
            case _:
                trainer.folder.bring_back()

    def state_dict(self) -> Tree:
        """The state."""
        return {"batches": self.batches}

    def load_state_dict(self, state: Tree) -> None:
        """Take over a saved state."""
        if not isinstance(state, dict) or state.keys() != {"batches"} or not isinstance(state["batches"], int):
            raise UnforeseenError(
                f"state of {self.name}: {state!r}; what a callback does with another's state is not said"
            )
        self.batches = state["batches"]


@define
class EarlyStopping:
    """The port's early stopping.

    Attributes:
        name: its name in the scenario.
        settings: what it looks at.
        best: the best value so far.
        waited: values in a row without improvement.

    Spec: CB-EARLY-001 to CB-EARLY-006.
    """

    name: str
    settings: EarlyStop
    best: float | None = None
    waited: int = 0

    @property
    def state_key(self) -> str:
        """The key of its state.

        Spec: CB-EARLY-006.
        """
        return self.settings.state_key

    def act(self, hook: str, trainer: Trainer) -> None:
        """Look at the metric.

        Spec: CB-EARLY-001, CB-EARLY-002, CB-EARLY-003, CB-EARLY-005.
        """
        if hook != "on_epoch_end":
            return
        value, step = trainer.training.metrics.get(self.settings.monitor, (0.0, -1))
        if step != trainer.training.global_step:
            return
        if self._improved(value):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        if self.waited >= self.settings.patience:
            trainer.request_stop(None)

    def _improved(self, value: float) -> bool:
        if isnan(value):
            return False
        return self.best is None or improves(value, self.best, self.settings.mode, self.settings.min_delta)

    def state_dict(self) -> Tree:
        """The state.

        Spec: CB-EARLY-004.
        """
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Tree) -> None:
        """Take over a saved state."""
        if not isinstance(state, dict) or state.keys() != {"best", "waited"}:
            raise UnforeseenError(
                f"state of {self.name}: {state!r}; what a callback does with another's state is not said"
            )
        best, waited = state["best"], state["waited"]
        self.best = best if isinstance(best, float) else None
        self.waited = waited if isinstance(waited, int) else 0
