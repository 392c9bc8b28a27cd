"""Error codes with the phase in which a reader reports them, copied by hand from the text of the format.

Spec: CKPT-READ-001, CKPT-READ-006.
"""

_BY_PHASE = {
    "open": (
        "file_too_small not_a_checkpoint unsupported_version bad_magic wrong_length bad_trailer head_limit "
        "head_digest_mismatch"
    ),
    "head": (
        "length_overrun reserved_byte invalid_utf8 key_not_string duplicate_key depth_limit node_limit "
        "tensor_limit missing_key misplaced_key wrong_type unsupported_feature unsupported_ext bad_tensor "
        "unknown_dtype rank_limit"
    ),
    "framing": (
        "segment_limit bad_segment_table unsupported_codec bad_segment_ref size_mismatch unreferenced_segment "
        "bad_framing"
    ),
    "segment": "segment_digest_mismatch",
    "io": "file_not_found not_a_file io_error",
}

READ_PHASES = {code: phase for phase, codes in _BY_PHASE.items() for code in codes.split()}
CODES = frozenset(READ_PHASES) | {"unserializable_value"}
PHASES = frozenset(_BY_PHASE) | {"encode"}
