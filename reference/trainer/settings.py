"""The settings of a trainer and of an attempt; each refuses what is out of range with `invalid_setting` and its name.

Spec: TR-SET-001.
"""

from __future__ import annotations

from typing import Literal

from attrs import define, field, frozen

from tenuto.reference.events.contexts import Progress
from tenuto.reference.ranges import check_amount, check_count, check_count_or_none, check_switch, one_of

__all__ = ["OnUnusable", "ResumeSettings", "TrainerSettings"]

OnUnusable = Literal["error", "fresh"]


@define
class TrainerSettings:
    """How long a run is, and how often it validates.

    Attributes:
        max_epochs: How many epochs the run is to have.
        validate_every: Validation after every so many epochs.
        max_steps: At which `global_step` the run ends as with a stop; None for no such end.
        max_seconds: After how many seconds an attempt is interrupted at the end of a batch; None for never.

    Raises:
        ConfigError: `invalid_setting`, also when one is set later.

    Spec: TR-SET-001.
    """

    max_epochs: int = field(validator=check_count)
    validate_every: int = field(default=1, validator=check_count)
    max_steps: int | None = field(default=None, validator=check_count_or_none)
    max_seconds: float | None = field(default=None, validator=check_amount)

    def has_all_steps(self, progress: Progress) -> bool:
        """Returns whether the last step of the run is made.

        Spec: TR-LOOP-014.
        """
        return self.max_steps is not None and progress.global_step >= self.max_steps


@frozen(kw_only=True)
class ResumeSettings:
    """What an attempt asks of the checkpoint that it continues from.

    Attributes:
        require_exact: Whether a resume that is not exact is refused.
        on_unusable_checkpoint: What `auto` does where no checkpoint is usable: fail, or move all aside and start fresh.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: TR-SET-001, TR-REST-012, TR-RES-017.
    """

    require_exact: bool = field(default=False, validator=check_switch)
    on_unusable_checkpoint: OnUnusable = field(default="error", validator=one_of("error", "fresh"))
