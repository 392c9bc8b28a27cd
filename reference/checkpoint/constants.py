# generated from spec/v1/interfaces/ckpt.yaml by `make spec`; do not edit
"""The fixed numbers and names of the file format.

Spec: CKPT-FILE-002, CKPT-LIM-001, CKPT-VAL-004.
"""

from __future__ import annotations

import struct
from typing import Final

from tenuto.reference.codes import PHASES_OF

FORMAT_VERSION: Final = "1.0"  # CKPT-FILE-002
FORMAT_MAJOR: Final = 1
MAGIC: Final = b"\x89TENUTO\n"  # CKPT-FRAME-001
TRAILER_BYTES: Final = 40  # CKPT-FRAME-001
FILE_MIN_BYTES: Final = 128  # CKPT-READ-001
VERSION_MAX_BYTES: Final = 32  # CKPT-READ-001
ALIGNMENT_BYTES: Final = 64  # CKPT-SEG-003
TENSOR_EXT: Final = 1  # CKPT-VAL-003
DIMENSION_MAX: Final = 9223372036854775807  # CKPT-VAL-003
CODEC_NONE: Final = 0  # CKPT-SEG-005
CODEC_ZSTD: Final = 1  # CKPT-ZSTD-001
COMPRESSED_BYTES: Final = 16777216  # CKPT-ZSTD-003
COMPRESSION_RATIO: Final = 100  # CKPT-ZSTD-003
CANONICAL_NAN: Final[float] = struct.unpack(">d", bytes.fromhex("7ff8000000000000"))[0]  # CKPT-VAL-014
FEATURES: Final = frozenset({"zstd"})

HEAD_KEYS: Final = {  # CKPT-FILE-002
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

HEAD_LIMIT: Final = 268435456  # CKPT-LIM-001
NODE_LIMIT: Final = 4194304  # CKPT-LIM-001
DEPTH_LIMIT: Final = 32  # CKPT-LIM-001
TENSOR_LIMIT: Final = 1048576  # CKPT-LIM-001
RANK_LIMIT: Final = 32  # CKPT-LIM-001
SEGMENT_LIMIT: Final = 1048576  # CKPT-LIM-001
SEGMENT_BYTES: Final = 4294963200  # CKPT-SEG-001

DTYPES: Final = {  # CKPT-VAL-004
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

# The phase of a code unless a writer says `encode`.
PHASE_OF: Final = {code: phases[0] for code, phases in PHASES_OF.items()}
