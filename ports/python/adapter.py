"""The adapter of the Python reference: translates requests of the conformance runner into calls of the library.

It is a program of its own, started by the runner and spoken to over stdin and stdout. It knows nothing about the
expected answers, and everything that it says about a file comes from the library.

Spec: CONF-LINE-001 to CONF-LINE-006, CONF-OP-001 to CONF-OP-005, CONF-REPLY-001 to CONF-REPLY-004, SCN-OP-001 to
SCN-OP-006.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from tagged import Reader, Writer, dump_document, write_scalar

from tenuto.reference.checkpoint import Document, read_checkpoint, verify_checkpoint, write_checkpoint
from tenuto.reference.checkpoint.entries import Entry, Ledger
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.errors import CheckpointError, RestoreError, TenutoError
from tenuto.reference.trainer.resume import choose_start

PREFIX = b"@tenuto "
PORT = {"name": "python", "version": "0.1.0", "language": "Python"}
CLAIMS = ["codec-read", "codec", "callbacks", "checkpoint", "resume", "ext:zstd"]
CAPABILITIES = ["signals", "async", "threads", "symlinks", "mmap", "zstd"]
CANNOT_WRITE = {"reply": "error", "code": "io_error", "phase": "io"}  # CONF-REPLY-003 knows one code for `out`


def hello(request: dict[str, Any]) -> dict[str, Any]:
    """CONF-OP-001, CONF-REPLY-002."""
    for member, known in (("protocol", "i:1"), ("spec", "1.0")):
        if request[member] != known:
            return {"reply": "unsupported", "capability": member}
    told = {"nonce": request["nonce"], "protocol": "i:1", "port": PORT, "spec": "1.0"}
    return {"reply": "ok", **told, "claims": CLAIMS, "capabilities": CAPABILITIES}


def echo(request: dict[str, Any]) -> dict[str, Any]:
    """CONF-OP-002."""
    return {"reply": "ok", "value": Writer().tree(Reader().tree(request["value"]))}


def decode(request: dict[str, Any]) -> dict[str, Any]:
    """CONF-OP-003."""
    document = read_checkpoint(request["path"], verify=True)
    text = json.dumps(dump_document(document.head), separators=(",", ":"))
    try:
        Path(request["out"]).write_bytes(text.encode("ascii"))
    except OSError:
        return CANNOT_WRITE
    return {"reply": "ok", "canonical": document.canonical}


def recode(request: dict[str, Any]) -> dict[str, Any]:
    """CONF-OP-004."""
    document = read_checkpoint(request["path"], verify=True)
    head = dict(document.head)
    if request["strip_origin"]:
        metadata = head["metadata"]
        assert isinstance(metadata, dict), "the reader has checked this"  # noqa: S101
        head["metadata"] = {**metadata, "origin": {}}
    return write(request["out"], head)


def write(out: str, head: dict[str, Any]) -> dict[str, Any]:
    """Write a document."""
    try:
        write_checkpoint(out, Document(head=head))
    except TenutoError as error:
        if error.phase != "io":
            raise
        return CANNOT_WRITE
    return {"reply": "ok"}


def encode(request: dict[str, Any]) -> dict[str, Any]:
    """SCN-OP-001."""
    head = Reader().tree(read_json(request["document"]))
    if not isinstance(head, dict):
        raise TypeError(f"document: {type(head).__name__}; expected a map")
    return write(request["out"], head)


def read_json(path: str) -> Any:  # noqa: ANN401 - JSON of any kind
    """What a file of the runner holds."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError("file_not_found", f"{path}: no such file; expected it", phase="io") from error


def run(request: dict[str, Any]) -> dict[str, Any]:
    """SCN-OP-002."""
    return train(request, "never")


def restore(request: dict[str, Any]) -> dict[str, Any]:
    """SCN-OP-003."""
    return train(request, request["resume"])


def train(request: dict[str, Any], resume: str) -> dict[str, Any]:
    """Carry out a scenario."""
    from scenario import carry_out  # noqa: PLC0415 - an adapter that is asked about files alone starts in half the time
    from scenario_form import read_scenario  # noqa: PLC0415 - as above

    scenario = read_scenario(read_json(request["scenario"]))
    try:
        events = Path(request["events"]).open("w", encoding="ascii", buffering=1)  # noqa: SIM115 - closed below
    except OSError:
        return CANNOT_WRITE
    with events:
        return carry_out(scenario, request["folder"], events, resume)


def list_folder(request: dict[str, Any]) -> dict[str, Any]:
    """SCN-OP-005."""
    ledger = read_ledger(request["folder"])
    return {
        "reply": "ok",
        "checkpoints": [describe(entry) for entry in ledger.entries],
        "damaged": [{"name": file.name, "code": file.code} for file in ledger.damaged],
        "newest": newest(request["folder"], ledger),
    }


def describe(entry: Entry) -> dict[str, Any]:
    """What the head of a file tells."""
    numbers = zip(("attempt", "epoch", "batch_in_epoch", "global_step"), (entry.attempt, *entry.position), strict=True)
    told = {"name": entry.name, "run_id": entry.run_id, "exact": entry.is_exact, "reasons": entry.reasons}
    kind = "full" if entry.is_full else "weights"
    return {**told, "kind": kind, **{name: write_scalar(number) for name, number in numbers}}


def newest(folder: str, ledger: Ledger) -> str:
    """A name of the checkpoint that `auto` takes, which is asked itself; empty where it takes none."""
    try:
        state = choose_start("auto", folder).state
    except TenutoError:
        return ""
    metadata: Any = state.head["metadata"] if state else {"origin": {"checkpoint_id": None}}
    taken = metadata["origin"]["checkpoint_id"]
    names = (entry.name for entry in ledger.newest_first() if entry.checkpoint_id == taken)
    return next((name for name in names if is_whole(os.path.join(folder, name))), "")


def is_whole(path: str) -> bool:
    """Whether a file passes every check: a copy of the checkpoint taken may be damaged."""
    try:
        verify_checkpoint(path)
    except TenutoError:
        return False
    return True


def bye(_: dict[str, Any]) -> dict[str, Any]:
    """CONF-OP-005."""
    return {"reply": "ok"}


OPERATIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "hello": hello,
    "echo": echo,
    "decode": decode,
    "recode": recode,
    "encode": encode,
    "run": run,
    "restore": restore,
    "list": list_folder,
    "bye": bye,
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request: a refusal keeps its code and phase, anything else is a fault of ours."""
    operation = OPERATIONS.get(request["op"])
    if operation is None:
        return {"reply": "unsupported", "capability": request["op"]}
    try:
        return operation(request)
    except TenutoError as error:
        return {"reply": "error", "code": error.code, "phase": error.phase, **fields(error)}
    except Exception as error:  # noqa: BLE001 - every fault becomes a reply
        return {"reply": "internal", "message": f"{type(error).__name__}: {error}"}


def fields(error: TenutoError) -> dict[str, Any]:
    """CONF-REPLY-004: what an error carries beside its code; of a mismatch the path alone."""
    if error.code != "state_mismatch" or not isinstance(error, RestoreError):
        return {}
    return {"mismatches": [mismatch.partition(": ")[0] for mismatch in error.mismatches]}


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer line by line until `bye` or the end of the input."""
    for line in requests:
        try:
            request = json.loads(line)
            name, operation = request["id"], request["op"]
            if type(operation) is not str:
                raise TypeError(f"op: {operation!r}; expected a string")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            name = operation = ""
            told = {"reply": "internal", "message": f"a line that is no request: {error}"}
        else:
            told = answer(request)
        replies.write(PREFIX + json.dumps({"id": name, **told}).encode("ascii") + b"\n")
        replies.flush()
        if operation == "bye":
            return


def main() -> None:
    """Keep stdout for replies: what a library prints goes to stderr."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
