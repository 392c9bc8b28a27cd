"""The settings of a trainer and of an attempt; each refuses what is out of range with `invalid_setting` and its name.

Spec: TR-SET-001.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from attrs import Attribute, define, field, frozen

from tenuto.reference.errors import refuse_setting
from tenuto.reference.events.contexts import Progress

__all__ = [
    "OnUnusable",
    "ResumeSettings",
    "TrainerSettings",
    "check_amount",
    "check_count",
    "check_count_or_none",
]

OnUnusable = Literal["error", "fresh"]


def check_count(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - attrs' signature
    """Accepts a whole number of at least 1."""
    if type(value) is not int or value < 1:
        raise refuse_setting(attribute.name, value, "a whole number of at least 1")


def check_count_or_none(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401 - as above
    """Accepts a whole number of at least 1, or None."""
    if value is not None:
        check_count(instance, attribute, value)


def check_amount(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts a finite number above 0, or None."""
    if value is not None and (type(value) not in {int, float} or not 0 < value < math.inf):
        raise refuse_setting(attribute.name, value, "a finite number above 0, or None")


def _switch(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    if type(value) is not bool:
        raise refuse_setting(attribute.name, value, "True or False")


def _error_or_fresh(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    if value not in {"error", "fresh"}:
        raise refuse_setting(attribute.name, value, "'error' or 'fresh'")


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

    require_exact: bool = field(default=False, validator=_switch)
    on_unusable_checkpoint: OnUnusable = field(default="error", validator=_error_or_fresh)
