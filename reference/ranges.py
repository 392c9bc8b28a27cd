"""The ranges of settings, as validators of attrs: what is outside is refused with `invalid_setting` and its name. Pure.

Spec: CPC-SET-001, TR-SET-001.
"""

from __future__ import annotations

import math
from typing import Any

from attrs import Attribute

from tenuto.reference.errors import refuse_setting

__all__ = ["check_amount", "check_count", "check_count_or_none", "check_switch", "is_number", "one_of"]


def check_count(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - attrs' signature
    """Accepts a whole number of at least 1."""
    if type(value) is not int or value < 1:
        raise refuse_setting(attribute.name, value, "a whole number of at least 1")


def check_count_or_none(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts a whole number of at least 1, or None."""
    if value is not None and (type(value) is not int or value < 1):
        raise refuse_setting(attribute.name, value, "a whole number of at least 1, or None")


def check_amount(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts a finite number above 0, or None."""
    if value is not None and not (is_number(value) and 0 < value < math.inf):
        raise refuse_setting(attribute.name, value, "a finite number above 0, or None")


def is_number(value: object) -> bool:
    """Returns whether a value is a number, which True is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_switch(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts True and False."""
    if type(value) is not bool:
        raise refuse_setting(attribute.name, value, "True or False")


def one_of(*choices: str | None) -> Any:  # noqa: ANN401 - an attrs validator
    """Returns a validator that accepts the choices."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise refuse_setting(attribute.name, value, "one of " + ", ".join(map(str, choices)))

    return check
