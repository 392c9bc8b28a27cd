"""Error codes, for those of a reader with the phase in which it reports them, copied by hand from the text.

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
    "segment": "segment_digest_mismatch bad_compressed_segment",
    "io": "file_not_found not_a_file io_error",
}

READ_PHASES = {code: phase for phase, codes in _BY_PHASE.items() for code in codes.split()}
CODES = frozenset(READ_PHASES) | {"unserializable_value"}
PHASES = frozenset(_BY_PHASE) | {"encode", "config", "restore", "train"}

# What is noticed when something is made, started, saved or restored, from the table of 80-error-codes.md.
_TRAINING = (
    "already_trained ambiguous_run config_mismatch directory_in_use disk_full duplicate_file_name duplicate_metric "
    "duplicate_state_key epoch_mismatch inexact_arithmetic inexact_state invalid_metric invalid_setting "
    "job_not_found monitor_missing no_checkpoint_dir no_usable_checkpoint not_a_folder not_a_job not_resumable "
    "not_writable option_ignored several_checkpoint_callbacks state_mismatch training_interrupted unsupported_loader "
    "unsupported_model unsupported_setting"
)
TRAINING_CODES = frozenset(_TRAINING.split())


def is_code(text: str) -> bool:
    """Whether a text is a code of the specification, or may be one of a port's own.

    Spec: ERR-CODE-001, GEN-NAME-001.
    """
    return text in CODES or text in TRAINING_CODES or text.startswith("x_")
