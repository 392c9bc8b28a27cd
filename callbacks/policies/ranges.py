"""The ranges of settings of callbacks and policies, beside those that the trainer has too. Pure.

Spec: CPC-SET-001.
"""

from __future__ import annotations

import math
from typing import Any, Final

from attrs import Attribute

from tenuto.callbacks.policies.naming import escape
from tenuto.reference.errors import refuse_setting
from tenuto.reference.ranges import is_number

__all__ = [
    "check_method",
    "check_name",
    "check_number",
]

_NAME_BYTES_MAX: Final = 180


def check_name(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - attrs' signature
    """Accepts the name of a metric that fits into file names.

    Spec: CPC-NAME-017.
    """
    if not isinstance(value, str) or not value:
        raise refuse_setting(attribute.name, value, "the name of a metric")
    if len(escape(value)) > _NAME_BYTES_MAX:
        raise refuse_setting(attribute.name, value, f"a name of at most {_NAME_BYTES_MAX} bytes in a file name")


def check_number(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts a finite number of at least 0."""
    if not is_number(value) or not 0 <= value < math.inf:
        raise refuse_setting(attribute.name, value, "a number of at least 0")


def check_method(method: str) -> Any:  # noqa: ANN401 - an attrs validator
    """Returns a validator that accepts None and what has a method: a policy of the user's."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
        if value is not None and (isinstance(value, type) or not callable(getattr(value, method, None))):
            raise refuse_setting(attribute.name, value, f"an object with the method {method}, or None")

    return check
