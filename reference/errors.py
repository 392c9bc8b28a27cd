"""The errors of tenuto: one class per kind of trouble, a stable code on each.

Codes and phases are words of the specification; message texts are not. A message reads
`<what>: <got>; expected <rule>`.
"""

from __future__ import annotations

from tenuto.reference.codes import PHASES_OF

__all__ = ["CheckpointError", "ConfigError", "RestoreError", "TenutoError", "TrainingInterrupted", "refuse_setting"]


class TenutoError(Exception):
    """Any refusal or failure that tenuto reports itself.

    Attributes:
        message: What happened, without the code.
        code: The stable code, a word of the specification.
        phase: Where it was noticed: `open`, `head`, `framing`, `segment`, `encode`, `io`, `config`,
            `restore` or `train`.

    Raises:
        ValueError: The specification has no such code, or not in this phase. A code of one's own starts with `x_`.

    Spec: CKPT-READ-005, ERR-CODE-001, GEN-NAME-001.
    """

    def __init__(self, code: str, message: str, *, phase: str) -> None:
        phases = PHASES_OF.get(code, (phase,) if code.startswith("x_") else ())
        if phase not in phases:
            known = f"phase {' or '.join(phases)}" if phases else "a code of the specification, or x_..."
            raise ValueError(f"error {code!r} in phase {phase!r}; expected {known}")
        super().__init__(f"{message} [{code}]")
        self.message = message
        self.code = code
        self.phase = phase


class CheckpointError(TenutoError):
    """A checkpoint that cannot be read, written, found or deleted."""


class ConfigError(TenutoError):
    """A setting that tenuto refuses, always in phase `config`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, phase="config")


def refuse_setting(name: str, got: object, rule: str) -> ConfigError:
    """Returns the error for a setting that is out of its range: `invalid_setting`."""
    return ConfigError("invalid_setting", f"{name}: {got!r}; expected {rule}")


class RestoreError(TenutoError):
    """A state that does not fit the live objects, always in phase `restore`.

    Attributes:
        mismatches: Every mismatch found, each with the path of the offending item.
    """

    def __init__(self, code: str, message: str, mismatches: tuple[str, ...] = ()) -> None:
        lines = "".join(f"\n  {mismatch}" for mismatch in mismatches)
        super().__init__(code, message + lines, phase="restore")
        self.mismatches = mismatches


class TrainingInterrupted(TenutoError):  # noqa: N818 - the name that users of the failure contract know
    """Training was asked to stop from outside and has stopped in order.

    Attributes:
        exit_code: What the process should exit with: 143 after SIGTERM, 75 after `max_seconds`.

    Spec: TR-FAIL-004, TR-FAIL-020.
    """

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__("training_interrupted", message, phase="train")
        self.exit_code = exit_code
