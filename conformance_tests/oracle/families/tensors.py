"""Valid files: tensors of every dtype and shape, shared ones, and the segments that hold them.

Spec: CKPT-VAL-003 to CKPT-VAL-009, CKPT-SEG-002, CKPT-SEG-003, CKPT-SEG-004.
"""

from tenuto.conformance_tests.oracle.encoder import Encoder
from tenuto.conformance_tests.oracle.tree import DTYPE_BYTES, Document, Tensor, Tree, filled, make
from tenuto.conformance_tests.oracle.vector import Vector, valid


def blob(length: int, seed: int = 1) -> Tensor:
    """A tensor of that many bytes."""
    return filled("uint8", length, seed=seed)


def dtypes() -> list[Vector]:
    """One vector for each dtype; all bytes count, also those that no number of the dtype has."""
    found = []
    for index, dtype in enumerate(DTYPE_BYTES):
        tensors: Tree = {"even": filled(dtype, 2, 3), "ones": Tensor(dtype, (1,), b"\xff" * DTYPE_BYTES[dtype])}
        document = make(model_state=tensors)
        found.append(valid(100 + index, f"dtype {dtype}", "VAL-004 VAL-005 VAL-013", document))
    return found


def shapes() -> list[Vector]:
    """Ranks, empty tensors, and payloads of unusual length."""
    wide = Tensor("int8", (2**62,) * 31 + (0,), b"")
    return [
        valid(130, "rank 0", "VAL-006", make(model_state=filled("float64"))),
        valid(131, "rank 32", "LIM-001", make(model_state=filled("int16", *([1] * 31), 2))),
        valid(
            132,
            "empty tensors have no segments and are never shared",
            "VAL-007 VAL-009",
            make(model_state=[filled("float32", 0), filled("float32", 0), filled("int64", 3, 0, 2)]),
        ),
        valid(
            133,
            "an empty tensor whose other extents overflow",
            "VAL-006 VAL-007",
            make(model_state=[Tensor("float64", (2**62, 2**62, 0), b""), Tensor("bool", (0, 2**63 - 1), b"")]),
        ),
        valid(134, "bytes of a bool tensor are carried as they are", "VAL-013", make(model_state=[_odd_bool()])),
        valid(135, "a payload of 16 bytes is a fixext", "CANON-001", make(model_state=filled("float32", 1, 1, 2, 1))),
        valid(136, "a payload of more than 255 bytes is an ext16", "CANON-001", make(model_state=wide)),
    ]


def _odd_bool() -> Tensor:
    return Tensor("bool", (4,), b"\x00\x01\x02\xff")


def sharing() -> list[Vector]:
    """Tied and equal tensors, and their numbering."""
    tied = filled("float32", 2, 2)
    return [
        valid(
            140,
            "tied weights",
            "VAL-008 VAL-009",
            make(model_state={"decoder": tied, "encoder": tied}, optimizer_state={"adam": {"again": tied}}),
        ),
        valid(
            141,
            "equal tensors that are not shared",
            "VAL-008",
            make(model_state=[blob(8), blob(8), blob(8)]),
        ),
        valid(
            142,
            "segments are numbered in the order of the file",
            "SEG-002 FILE-003",
            make(
                aaa=blob(1, 6),
                model_state={"z": blob(2, 2), "a": blob(3, 1)},
                callback_state={"ema": blob(4, 4)},
                optimizer_state={"sgd": [{"m": blob(5, 3)}]},
                trainer_state=blob(6, 5),
            ),
        ),
        valid(
            143,
            "tensors in every part",
            "VAL-003",
            make(
                model_state=blob(3, 1),
                optimizer_state={"o": blob(3, 2)},
                scheduler_state={"s": blob(3, 3)},
                rng_state={"torch": blob(16, 4)},
                callback_state={"c": blob(3, 5)},
                trainer_state=[blob(3, 6)],
            ),
        ),
    ]


def lay_out(remainder: int, *lengths: int) -> Document:
    """A document whose first segment header ends at `remainder` modulo 64, and whose segments have these lengths."""
    for filler in range(64):
        tensors: list[Tree] = [blob(length, seed) for seed, length in enumerate(lengths)]
        document = make(metadata={"origin": {}, "pad": bytes(filler)}, model_state=tensors)
        if (len(Encoder().head(document)) + 6) % 64 == remainder:
            return document
    msg = f"remainder: {remainder}; expected one from 0 to 63"
    raise ValueError(msg)


def segments() -> list[Vector]:
    """Alignment, lengths and numbers of segments."""
    sixteen: Tree = [blob(1 + number, number) for number in range(16)]
    many: Tree = [blob(1, number) for number in range(257)]
    return [
        valid(150, "no padding at all", "SEG-003", lay_out(0, 59, 59, 123)),
        valid(151, "one byte of padding", "SEG-003", lay_out(63, 58, 58)),
        valid(152, "63 bytes of padding", "SEG-003", lay_out(1, 60, 60)),
        valid(
            153, "lengths around 64", "SEG-003", make(model_state=[blob(size) for size in (63, 64, 65, 1, 127, 128)])
        ),
        valid(154, "lengths that need uint8 and uint16 in the table", "SEG-004", lay_out(5, 127, 128, 255, 256, 3)),
        valid(155, "15 segments", "SEG-003 CANON-001", make(model_state=[blob(9, n) for n in range(15)])),
        valid(156, "16 segments, so array16 in two places", "SEG-003 CANON-001", make(model_state=sixteen)),
        valid(157, "257 segments, so numbers in every form up to uint16", "SEG-002", make(model_state=many)),
    ]


def vectors() -> list[Vector]:
    """All vectors of this family."""
    return dtypes() + shapes() + sharing() + segments()
