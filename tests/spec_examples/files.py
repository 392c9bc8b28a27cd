"""Whole files byte by byte: the block, the reference and the oracle have to agree about each of them."""

from __future__ import annotations

import json
import re

from spec_examples.source import BadExampleError, Verdict
from tenuto.conformance_tests.oracle import document as tagged
from tenuto.conformance_tests.oracle import frame, tree
from tenuto.reference.checkpoint import Document, Tensor, read_checkpoint
from tenuto.reference.checkpoint.writer import encode

_LINE = re.compile(r"([0-9a-f]{4,})  ((?:[0-9a-f]{2} )*[0-9a-f]{2}) +# \S.*")


def run(item, folder):
    """Reads, writes and encodes the file of a block `ckpt-hex`.

    Spec: CKPT-READ-001, CKPT-CANON-001.
    """
    if item.partner is None:
        raise BadExampleError(f"{item.id}: no document of this id; expected one")
    data = bytes_of(item.example.body)
    stated = json.loads("\n".join(item.partner.body))
    document = tagged.load(stated)
    path = folder / "example.ckpt"
    path.write_bytes(data)
    read = read_checkpoint(path)
    found = {
        "document": tagged.dump({key: _to_oracle(value, {}) for key, value in read.head.items()}),
        "canonical": read.canonical,
        "written by the reference": b"".join(encode(Document(_to_reference(document, {})))).hex(),
        "encoded by the oracle": frame.file(document).hex(),
    }
    same = dict.fromkeys(("written by the reference", "encoded by the oracle"), data.hex())
    return Verdict({"document": stated, "canonical": True, **same}, found)


def bytes_of(lines):
    """Returns the bytes of lines `offset  bytes  # comment`."""
    data = bytearray()
    for line in lines:
        found = _LINE.fullmatch(line)
        if not found:
            raise BadExampleError(f"{line!r}; expected offset, bytes and a comment")
        if int(found[1], 16) != len(data):
            raise BadExampleError(f"{line!r}: offset {found[1]}; expected {len(data):04x}")
        data += bytes.fromhex(found[2])
    return bytes(data)


def _to_reference(value, made):
    """Returns a tree of the oracle as one of the reference; shared tensors stay shared."""
    return _converted(value, made, tree.Tensor, Tensor)


def _to_oracle(value, made):
    return _converted(value, made, Tensor, lambda dtype, shape, data: tree.Tensor(dtype, shape, bytes(data)))


def _converted(value, made, kind, make):
    if isinstance(value, dict):
        return {key: _converted(one, made, kind, make) for key, one in value.items()}
    if isinstance(value, list):
        return [_converted(one, made, kind, make) for one in value]
    if isinstance(value, kind):
        if id(value) not in made:
            made[id(value)] = make(value.dtype, value.shape, value.data)
        return made[id(value)]
    return value
