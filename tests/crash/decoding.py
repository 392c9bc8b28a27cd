"""Bad input: how it is read, what may come of it, and how its digests are put right so that more of it is looked at."""

import struct

import xxhash

from tenuto.conformance_tests.oracle.families.compressed import SHORT, WORDS, ZEROS, compressed
from tenuto.conformance_tests.oracle.families.toplevel import basics
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.tree import filled, make
from tenuto.conformance_tests.oracle.zstd_frames import TEXT_FRAME
from tenuto.reference.checkpoint import BufferSource, open_checkpoint
from tenuto.reference.checkpoint.constants import PHASE_OF
from tenuto.reference.errors import CheckpointError

TRAILER_BYTES = 40
TABLE_END = 50  # bytes before the end of the file


def opened(data):
    """Reads bytes as a file, every check included, and returns what was opened."""
    made = open_checkpoint(BufferSource(memoryview(data)))
    made.check_frame()
    made.check_segments()
    return made


def code_of(data):
    """Returns the code with which bytes are refused, None if they are read.

    Raises:
        Exception: Anything but a refusal, a refusal in the wrong phase included.
    """
    try:
        opened(data)
    except CheckpointError as error:
        if PHASE_OF[error.code] != error.phase:
            raise AssertionError(f"{error.code} in phase {error.phase}") from error
        return error.code
    return None


def seeds():
    """Returns the files that are damaged: one of everything, of text, of tensors, and a compressed one."""
    texts = {f"text {length}": "é" * (length // 2) for length in (30, 200, 700, 3000)}
    binary = {f"binary {length}": bytes(range(256)) * (length // 256) for length in (256, 1024, 3072)}
    tensors = [filled("uint8", 1500), filled("float32", 1), filled("complex64", 5, 7), filled("int16", 31)]
    return {
        "usual": file(basics()[1].document),
        "text": file(make(trainer_state=[texts, binary])),
        "tensors": file(make(model_state=tensors)),
        "compressed": compressed(make(model_state=[WORDS, ZEROS]), {0: TEXT_FRAME, 1: SHORT}).build(),
    }


def with_sizes(data):
    """Returns the bytes with a trailer whose length, magic and digest are right; its two offsets are left, if they fit.

    What a mutation did inside of the head or the table then reaches the checks behind the digest.
    """
    if len(data) < TRAILER_BYTES + TABLE_END:
        return data
    body, trailer = data[:-TRAILER_BYTES], data[-TRAILER_BYTES:]
    head, table = struct.unpack("<QQ", trailer[:16])
    if not 13 <= head <= len(body) or not head <= table <= len(data) - TABLE_END:
        head, table = _ends(body)
    fields = struct.pack("<QQQ", head, table, len(data))
    digest = xxhash.xxh64_intdigest(body[:head] + body[table : len(data) - TABLE_END] + fields)
    return b"".join((body, fields, struct.pack("<Q", digest), b"\x89TENUTO\n"))


def _ends(body):
    """Returns where the head ends and the table starts, by the keys before them."""
    head = body.find(b"\xa8segments")
    table = body.rfind(b"\xadsegment_table")
    return (13 if head < 0 else head + 9), (len(body) - 10 if table < 0 else table + 14)
