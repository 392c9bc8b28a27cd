"""Early stopping: asks for a normal end when a metric has not improved for a while."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from attrs import Attribute, define, evolve, field, frozen

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.policies.ranking import Mode, improves
from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import RestoreError, refuse_setting
from tenuto.reference.events.contexts import EpochEnd, TrainStart
from tenuto.reference.events.listener import Phase
from tenuto.reference.ranges import check_count, one_of

__all__ = ["EarlyStopping"]

_log = logging.getLogger("tenuto")


def _text(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - attrs' signature
    if not isinstance(value, str) or not value:
        raise refuse_setting(attribute.name.removeprefix("_"), value, "text that is not empty")


def _amount(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    if type(value) not in {int, float} or not 0 <= value < math.inf:
        raise refuse_setting(attribute.name, value, "a finite number of at least 0")


@frozen
class _Patience:
    """What early stopping remembers.

    Attributes:
        best: The last value that was an improvement; None before the first.
        waited: How many looks in a row since then.
    """

    best: float | None = None
    waited: int = 0

    def after(self, value: float, *, mode: Mode, min_delta: float) -> _Patience:
        """Returns what is remembered after a look at a value.

        Spec: CB-EARLY-001, CB-EARLY-002, CB-EARLY-003.
        """
        if math.isnan(value) or (self.best is not None and not improves(value, self.best, mode, min_delta)):
            return evolve(self, waited=self.waited + 1)
        return _Patience(value)


@define(eq=False, slots=False)
class EarlyStopping(BaseCallback):
    """Asks for a stop when a metric has not improved for `patience` measurements in a row.

    Args:
        monitor: Name of the metric, looked at at the end of each epoch at which it was measured.
        mode: Which values are better.
        patience: Looks in a row without improvement after which it stops, at least 1.
        min_delta: By how much a value has to be better to count, at least 0.
        state_key: Under which it is saved; two of them need two.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CB-EARLY-001 to CB-EARLY-007.
    """

    monitor: str = field(default="val_loss", validator=_text)
    mode: Mode = field(default="min", validator=one_of("min", "max"))
    patience: int = field(default=3, validator=check_count)
    min_delta: float = field(default=0.0, validator=_amount)
    phase: Phase = field(default="observe", init=False)
    _state_key: str = field(default="EarlyStopping", validator=_text)
    _memory: _Patience = field(factory=_Patience, init=False, repr=False)
    _warned: bool = field(default=False, init=False, repr=False)

    @property
    def state_key(self) -> str:
        """As it was set.

        Spec: CB-EARLY-006.
        """
        return self._state_key

    def state_dict(self) -> dict[str, Tree]:
        """Returns the best value and how long it has not been improved.

        Spec: CB-EARLY-004.
        """
        return {"best": self._memory.best, "waited": self._memory.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over a saved memory.

        Raises:
            RestoreError: `not_resumable` for one of another form.

        Spec: CB-EARLY-004.
        """
        best, waited = state.get("best"), state.get("waited")
        is_value = best is None or (type(best) is float and not math.isnan(best))
        if not is_value or type(waited) is not int or waited < 0:
            message = f"callback_state.{self.state_key}: {dict(state)!r}; expected what early stopping has saved"
            raise RestoreError("not_resumable", message)
        self._memory = _Patience(best, waited)

    def on_train_start(self, context: TrainStart) -> None:
        """Forgets a run before this one."""
        self._warned = False
        if not context.resumed:
            self._memory = _Patience()

    def on_epoch_end(self, context: EpochEnd) -> None:
        """Looks at the metric, if it was measured at this step.

        Spec: CB-EARLY-001, CB-EARLY-005.
        """
        metric = context.metrics.get(self.monitor)
        if metric is None:
            self._warn(context)
        elif metric.step == context.progress.global_step:
            self._memory = self._memory.after(metric.value, mode=self.mode, min_delta=self.min_delta)
            if self._memory.waited >= self.patience:
                context.request_stop(f"{self.monitor} has not improved for {self._memory.waited} measurements")

    def _warn(self, context: EpochEnd) -> None:
        if context.measured and not self._warned:
            known = ", ".join(sorted(context.metrics)) or "none"
            _log.warning("early stopping: %r; expected one of the metrics measured: %s", self.monitor, known)
            self._warned = True
