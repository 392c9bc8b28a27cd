"""What ends an attempt early, and what ends foretelling.

Spec: TR-FAIL-013, ERR-CODE-001.
"""

from attrs import frozen


class UnforeseenError(Exception):
    """The text leaves free what happens, does not say it, or the model does not cover it; the message says which."""


@frozen
class Refusal(Exception):  # noqa: N818 - it is an answer of the port, not an error of the suite
    """An attempt that is refused before its first hook.

    Attributes:
        code, phase: words of 80-error-codes.md.
        mismatches: the settings of a `state_mismatch` that differ, as sorted paths.

    Spec: CB-HOOK-008, SCN-OP-004, CONF-REPLY-004.
    """

    code: str
    phase: str
    mismatches: tuple[str, ...] = ()


@frozen
class Failure(Exception):  # noqa: N818 - as above
    """What ends an attempt that has begun: an error of a hook or a save, or a signal.

    Attributes:
        code: of the error, or the name of the signal.
        is_signal: whether it is a signal.

    Spec: TR-FAIL-001, TR-FAIL-004.
    """

    code: str
    is_signal: bool = False
