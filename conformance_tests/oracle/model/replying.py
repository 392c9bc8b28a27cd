"""What a port answers to an attempt, and of what lies in the folder after it.

Spec: SCN-OP-004, SCN-OP-005.
"""

from tenuto.conformance_tests.oracle.document import Json, scalar
from tenuto.conformance_tests.oracle.model.errors import Refusal
from tenuto.conformance_tests.oracle.model.folder import File
from tenuto.conformance_tests.oracle.model.trainer import Trainer


def refusal_reply(refusal: Refusal) -> dict[str, Json]:
    """The reply of an attempt that is refused.

    Spec: SCN-OP-004, CONF-REPLY-004.
    """
    reply: dict[str, Json] = {"reply": "error", "code": refusal.code, "phase": refusal.phase}
    return reply | {"mismatches": list(refusal.mismatches)} if refusal.mismatches else reply


def attempt_reply(trainer: Trainer) -> dict[str, Json]:
    """The reply of an attempt that has begun.

    Spec: SCN-OP-004.
    """
    training, failure, stop = trainer.training, trainer.failure, trainer.stop
    names = ("epoch", "batch_in_epoch", "global_step")
    progress: Json = {name: scalar(number) for name, number in zip(names, training.progress, strict=True)}
    if failure:
        outcome, detail = ("interrupted" if failure.is_signal else "raised"), failure.code
        return {"reply": "ok", "outcome": outcome, "detail": detail, "progress": progress}
    if stop is None:
        return {"reply": "ok", "outcome": "finished", "detail": "", "progress": progress}
    reply: dict[str, Json] = {"reply": "ok", "outcome": "stopped", "progress": progress}
    return reply if stop.reason is None else reply | {"detail": stop.reason}


def listed(name: str, file: File) -> dict[str, Json]:
    """A row of `list`.

    Spec: SCN-OP-005.
    """
    epoch, batch, step = file.progress
    return {
        "name": name,
        "attempt": scalar(file.attempt),
        "epoch": scalar(epoch),
        "batch_in_epoch": scalar(batch),
        "global_step": scalar(step),
        "exact": file.exact,
        "kind": "full",
        "reasons": list(file.reasons),
    }
