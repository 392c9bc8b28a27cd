"""The cases of `encode`: documents whose files are known, and documents with one fault each.

Spec: SCN-OP-001, CKPT-LIM-002, CKPT-VAL-002.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tenuto.conformance_tests.cases import WRITE, Case, Conversation, Refusal, Source, Talk
from tenuto.conformance_tests.judge import Judgement, judge_recode, judge_refusal
from tenuto.conformance_tests.oracle import document as tagged
from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.oracle.tree import HEAD_KEYS, Document, Tensor, Tree, make
from tenuto.conformance_tests.written import written

__all__ = ["encode_cases"]

FILE_LIMIT: Final = 1 << 28
DEEPEST: Final = 32  # arrays and maps inside one another, the top level among them
GREATEST_RANK: Final = 32


def encode_cases(sources: Sequence[Source]) -> Iterator[Case]:
    """Yields a case for each canonical vector, then those of documents at fault, then those of paths.

    Spec: SCN-OP-001, SCN-OP-004, CONF-REPLY-003.
    """
    for source in sources:
        if source.canonical and source.refusal is None:
            task = Conversation(partial(_encode, source.document, source.recoded))
            yield Case(f"{source.id}/encode", WRITE, (*source.req, "SCN-OP-001", "CKPT-VER-003"), source.title, task)
    for number, (title, clause, code, document) in enumerate(_faults(), start=1):
        task = Conversation(partial(_refuse, tagged.dump(document), Refusal(code, "encode")))
        req = ("SCN-OP-001", "CKPT-LIM-002", clause)
        yield Case(f"CKPT-E-{number:03}/refuse", WRITE, req, title, task)
    title = "tensors of one identity with other shapes"
    task = Conversation(partial(_refuse, _torn(), Refusal("bad_tensor", "encode")))
    yield Case("CKPT-E-099/refuse", WRITE, ("SCN-OP-001", "CKPT-VAL-002"), title, task)
    yield Case("CKPT-E-100/refuse", WRITE, ("SCN-OP-004",), "a document that is not there", Conversation(_not_there))
    title = "a file that cannot be written"
    yield Case("CKPT-E-101/refuse", WRITE, ("CONF-REPLY-003",), title, Conversation(_not_writable))


def _encode(document: Callable[[], Json], data: Callable[[], bytes], talk: Talk) -> Judgement:
    path, out = _place(document(), talk)
    reply = talk.ask("encode", {"document": str(path), "out": str(out)})
    return judge_recode(data(), reply, written(out, FILE_LIMIT))


def _refuse(document: Json, refusal: Refusal, talk: Talk) -> Judgement:
    path, out = _place(document, talk)
    return judge_refusal(refusal, talk.ask("encode", {"document": str(path), "out": str(out)}))


def _not_there(talk: Talk) -> Judgement:
    folder = talk.scratch()
    members: dict[str, Json] = {"document": str(folder / "document.json"), "out": str(folder / "out.ckpt")}
    return judge_refusal(Refusal("file_not_found", "io"), talk.ask("encode", members))


def _not_writable(talk: Talk) -> Judgement:
    """Names a file that leads through a file, so that making folders does not help."""
    path, _ = _place(tagged.dump(make()), talk)
    members: dict[str, Json] = {"document": str(path), "out": str(path / "x")}
    return judge_refusal(Refusal("io_error", "io"), talk.ask("encode", members))


def _place(document: Json, talk: Talk) -> tuple[Path, Path]:
    folder = talk.scratch()
    path = folder / "document.json"
    path.write_text(json.dumps(document))
    return path, folder / "out.ckpt"


def _nested(depth: int) -> Tree:
    """Returns arrays inside one another, the top level of the document counted."""
    tree: Tree = None
    for _ in range(depth - 1):
        tree = [tree]
    return tree


def _tensor(dtype: str = "uint8", shape: tuple[int, ...] = (1,), data: bytes = b"\x01") -> Tensor:
    return Tensor(dtype, shape, data)


def _torn() -> Json:
    """Returns a document that says of two tensors that they share their data, and gives them other shapes."""
    whole = json.dumps(tagged.dump(make(model_state=[_tensor(shape=(1, 1)), _tensor()])))
    torn: Json = json.loads(whole.replace('"t:1"', '"t:0"'))
    return torn


def _without(key: str) -> Document:
    return {name: value for name, value in make().items() if name != key}


def _faults() -> Iterator[tuple[str, str, str, Document]]:
    """Yields title, clause, code and document; each has one fault that the tagged form can express."""
    yield "a map one level too deep", "CKPT-LIM-001", "depth_limit", make(model_state=_nested(DEEPEST + 1))
    deep = make(callback_state={"a": {"b": _nested(DEEPEST - 1)}})
    yield "a callback state one level too deep", "CKPT-LIM-001", "depth_limit", deep
    rank = make(model_state=_tensor(shape=(1,) * (GREATEST_RANK + 1)))
    yield "a tensor of one dimension too many", "CKPT-LIM-001", "rank_limit", rank
    yield "a dtype that there is not", "CKPT-VAL-004", "unknown_dtype", make(model_state=_tensor("float128"))
    yield "a tensor with a byte less", "CKPT-VAL-006", "size_mismatch", make(model_state=_tensor(shape=(2,)))
    yield "a tensor with a byte more", "CKPT-VAL-006", "size_mismatch", make(model_state=_tensor("int16", (), b"123"))
    huge = make(model_state=_tensor("float64", (1 << 61, 8), b"\x01"))
    yield "a shape whose product wraps", "CKPT-VAL-006", "size_mismatch", huge
    yield "another major version", "CKPT-VER-002", "unsupported_version", make(version="2.0")
    yield "a version that is none", "CKPT-FILE-002", "not_a_checkpoint", make(version="1")
    yield "a version that is an integer", "CKPT-FILE-002", "not_a_checkpoint", make(version=1)
    yield "a feature that is reserved", "CKPT-FILE-009", "unsupported_feature", make(requires=["pool"])
    yield "a feature that is not known", "CKPT-VER-004", "unsupported_feature", make(requires=["x_own"])
    yield "requires that is a text", "CKPT-FILE-008", "wrong_type", make(requires="pool")
    yield "a feature that is an integer", "CKPT-FILE-008", "wrong_type", make(requires=[1])
    for key in ("metadata", "optimizer_state", "scheduler_state", "rng_state", "callback_state"):
        yield f"{key} that is an array", "CKPT-FILE-008", "wrong_type", make(**{key: []})
    yield "an origin that is nil", "CKPT-FILE-008", "wrong_type", make(metadata={"origin": None})
    yield "metadata without origin", "CKPT-FILE-008", "missing_key", make(metadata={})
    for key in HEAD_KEYS[1:]:
        yield f"no {key}", "CKPT-FILE-006", "missing_key", _without(key)
    for key in ("segments", "segment_table", "trailer"):
        yield f"a key {key} of the document", "CKPT-FILE-007", "misplaced_key", make(**{key: []})
