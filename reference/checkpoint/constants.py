"""The fixed numbers and names of the file format, as `spec/v1/interfaces/ckpt.yaml` states them.

A test compares every one with that file.
"""

from __future__ import annotations

from typing import Final

FORMAT_VERSION: Final = "1.0"
FORMAT_MAJOR: Final = 1
FEATURES: Final[frozenset[str]] = frozenset()

MAGIC: Final = b"\x89TENUTO\n"
TRAILER_BYTES: Final = 40
FILE_MIN_BYTES: Final = 128
ALIGNMENT_BYTES: Final = 64
VERSION_MAX_BYTES: Final = 32

HEAD_KEYS: Final = {
    "version": "str",
    "requires": "array",
    "metadata": "map",
    "model_state": "tree",
    "optimizer_state": "map",
    "scheduler_state": "map",
    "rng_state": "map",
    "callback_state": "map",
    "trainer_state": "tree",
}
TAIL_KEYS: Final = ("segments", "segment_table", "trailer")

HEAD_LIMIT: Final = 268435456
NODE_LIMIT: Final = 4194304
DEPTH_LIMIT: Final = 32
TENSOR_LIMIT: Final = 1048576
RANK_LIMIT: Final = 32
SEGMENT_LIMIT: Final = 1048576
SEGMENT_BYTES: Final = 4294963200

DIMENSION_MAX: Final = 2**63 - 1
TENSOR_EXT: Final = 1
CODEC_NONE: Final = 0
CANONICAL_NAN: Final = float("nan")

DTYPES: Final = {
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "float8_e4m3fnuz": 1,
    "float8_e5m2fnuz": 1,
}

PHASES: Final = {
    "open": (
        "file_too_small",
        "not_a_checkpoint",
        "unsupported_version",
        "bad_magic",
        "wrong_length",
        "bad_trailer",
        "head_limit",
        "head_digest_mismatch",
    ),
    "head": (
        "length_overrun",
        "reserved_byte",
        "invalid_utf8",
        "key_not_string",
        "duplicate_key",
        "depth_limit",
        "node_limit",
        "tensor_limit",
        "misplaced_key",
        "missing_key",
        "wrong_type",
        "unsupported_feature",
        "unsupported_ext",
        "bad_tensor",
        "unknown_dtype",
        "rank_limit",
    ),
    "framing": (
        "segment_limit",
        "bad_segment_table",
        "unsupported_codec",
        "bad_segment_ref",
        "size_mismatch",
        "unreferenced_segment",
        "bad_framing",
    ),
    "segment": ("segment_digest_mismatch",),
    "encode": ("unserializable_value",),
    "io": ("file_not_found", "not_a_file", "io_error"),
}
PHASE_OF: Final = {code: phase for phase, codes in PHASES.items() for code in codes}
