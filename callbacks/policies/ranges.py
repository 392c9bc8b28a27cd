"""The ranges of settings, as validators of attrs: what is outside is refused with `invalid_setting` and its name. Pure.

Spec: CPC-SET-001.
"""

from __future__ import annotations

import math
from typing import Any, Final

from attrs import Attribute

from tenuto.callbacks.policies.naming import escape
from tenuto.reference.errors import refuse_setting

__all__ = [
    "check_amount",
    "check_count",
    "check_given",
    "check_method",
    "check_name",
    "check_number",
    "check_switch",
    "one_of",
]

_NAME_BYTES_MAX: Final = 180


def check_count(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - attrs' signature
    """Accepts a whole number of at least 1, or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise refuse_setting(attribute.name, value, "a whole number of at least 1, or None")


def check_given(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts anything but None."""
    if value is None:
        raise refuse_setting(attribute.name, value, "a whole number of at least 1")


def check_switch(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts True and False."""
    if not isinstance(value, bool):
        raise refuse_setting(attribute.name, value, "True or False")


def check_name(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts the name of a metric that fits into file names.

    Spec: CPC-NAME-017.
    """
    if not isinstance(value, str) or not value:
        raise refuse_setting(attribute.name, value, "the name of a metric")
    if len(escape(value)) > _NAME_BYTES_MAX:
        raise refuse_setting(attribute.name, value, f"a name of at most {_NAME_BYTES_MAX} bytes in a file name")


def check_number(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts a finite number of at least 0."""
    if not _is_number(value) or not 0 <= value < math.inf:
        raise refuse_setting(attribute.name, value, "a number of at least 0")


def check_amount(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts a finite number above 0, or None."""
    if value is not None and not (_is_number(value) and 0 < value < math.inf):
        raise refuse_setting(attribute.name, value, "a number above 0, or None")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def one_of(*choices: str | None) -> Any:  # noqa: ANN401 - an attrs validator
    """Returns a validator that accepts the choices."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise refuse_setting(attribute.name, value, "one of " + ", ".join(map(str, choices)))

    return check


def check_method(method: str) -> Any:  # noqa: ANN401 - an attrs validator
    """Returns a validator that accepts None and what has a method: a policy of the user's."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
        if value is not None and (isinstance(value, type) or not callable(getattr(value, method, None))):
            raise refuse_setting(attribute.name, value, f"an object with the method {method}, or None")

    return check
