"""When to save: at each event a policy answers whether a checkpoint is due. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from attrs import field, frozen

from tenuto.reference.errors import refuse_setting
from tenuto.reference.events.contexts import Metric, Progress
from tenuto.reference.ranges import check_amount, check_count_or_none

__all__ = ["AnyOf", "SaveEvent", "SaveEvery", "SaveMoment", "SaveOnImprovement", "SavePolicy"]

SaveEvent = Literal["batch", "epoch", "train_end", "manual"]


@frozen(kw_only=True)
class SaveMoment:
    """What a save policy decides on.

    Attributes:
        event: `batch` in `on_batch_end`, `epoch` in `on_epoch_end`; a policy is asked at no other event.
        progress: Where training is.
        metrics: Every metric so far, by flat name.
        last_save: The progress of the last save by this policy; None if there was none.
        seconds: How long ago that was, or `on_train_start` of this attempt if that is later.
        improved: The monitors whose best list the state enters at this event.

    Spec: CPC-WHEN-011.
    """

    event: SaveEvent
    progress: Progress
    metrics: Mapping[str, Metric]
    last_save: Progress | None = None
    seconds: float = 0.0
    improved: frozenset[str] = frozenset()


class SavePolicy(Protocol):
    """Decides when to save; deterministic, and without a clock, a disk or a logger of its own.

    Spec: CPC-WHEN-011.
    """

    def should_save(self, moment: SaveMoment) -> bool:
        """Returns whether a checkpoint is due."""


@frozen(kw_only=True)
class SaveEvery:
    """Due when so much has passed since the last save by this policy: a missed moment does not lose a save.

    Attributes:
        epochs: Completed epochs, at least 1, counted in `on_epoch_end`; None for not by epochs.
        steps: Completed steps, at least 1, counted in `on_batch_end`; None for not by steps.
        seconds: Above 0, looked at in both; None for not by seconds.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CPC-WHEN-001, CPC-WHEN-002, CPC-WHEN-008, CPC-WHEN-010.
    """

    epochs: int | None = field(default=None, validator=check_count_or_none)
    steps: int | None = field(default=None, validator=check_count_or_none)
    seconds: float | None = field(default=None, validator=check_amount)

    def __attrs_post_init__(self) -> None:
        if self.epochs is self.steps is self.seconds is None:
            raise refuse_setting("SaveEvery", None, "at least one of epochs, steps and seconds")

    def should_save(self, moment: SaveMoment) -> bool:
        """See `SavePolicy`."""
        now, last = moment.progress, moment.last_save or Progress()
        return (
            (moment.event == "epoch" and _is_due(self.epochs, now.epoch - last.epoch))
            or (moment.event == "batch" and _is_due(self.steps, now.global_step - last.global_step))
            or (self.seconds is not None and moment.seconds >= self.seconds)
        )


def _is_due(every: int | None, since: int) -> bool:
    return every is not None and since >= every


@frozen
class SaveOnImprovement:
    """Due when the state enters the best list of a monitor of the checkpoint callback.

    Attributes:
        monitor: Name of the metric.

    Spec: CPC-WHEN-003.
    """

    monitor: str

    def should_save(self, moment: SaveMoment) -> bool:
        """See `SavePolicy`."""
        return self.monitor in moment.improved


@frozen
class AnyOf:
    """Due when one of several policies says so. They share one last save: that of the whole.

    Attributes:
        policies: At least one.

    Raises:
        ConfigError: `invalid_setting`.
    """

    policies: tuple[SavePolicy, ...] = field(converter=tuple)

    def __attrs_post_init__(self) -> None:
        if not self.policies:
            raise refuse_setting("AnyOf.policies", self.policies, "at least one policy")

    def should_save(self, moment: SaveMoment) -> bool:
        """See `SavePolicy`."""
        return any(policy.should_save(moment) for policy in self.policies)
