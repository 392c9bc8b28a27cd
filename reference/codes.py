# generated from spec/v1/interfaces/*.yaml by `make spec`; do not edit
"""The error codes of the specification, with the phases in which each is reported.

Spec: ERR-CODE-001.
"""

from __future__ import annotations

from typing import Final

__all__ = ["PHASES_OF"]

PHASES_OF: Final[dict[str, tuple[str, ...]]] = {
    "already_trained": ("config",),  # TR-RES-010
    "ambiguous_run": ("config",),  # TR-RES-006
    "bad_compressed_segment": ("segment",),  # CKPT-ZSTD-006
    "bad_framing": ("framing",),  # CKPT-FRAME-004
    "bad_magic": ("open",),  # CKPT-READ-001
    "bad_segment_ref": ("framing",),  # CKPT-VAL-010
    "bad_segment_table": ("framing",),  # CKPT-SEG-007
    "bad_tensor": ("head", "encode"),  # CKPT-VAL-003
    "bad_trailer": ("open",),  # CKPT-READ-001
    "config_mismatch": ("config",),  # STORE-RUN-003
    "depth_limit": ("head", "encode"),  # CKPT-LIM-001
    "directory_in_use": ("config",),  # TR-RES-005
    "disk_full": ("io",),  # STORE-SAVE-010
    "duplicate_file_name": ("config",),  # CPC-SET-004
    "duplicate_key": ("head",),  # CKPT-READ-002
    "duplicate_metric": ("train",),  # CB-METRIC-002
    "duplicate_state_key": ("config",),  # CB-STATE-002
    "epoch_mismatch": ("config",),  # CPC-CALL-001
    "file_not_found": ("io",),  # CKPT-READ-006
    "file_too_small": ("open",),  # CKPT-READ-001
    "head_digest_mismatch": ("open",),  # CKPT-FRAME-003
    "head_limit": ("open", "encode"),  # CKPT-LIM-001
    "inexact_arithmetic": ("config",),  # RW-NUM-003
    "inexact_state": ("restore",),  # TR-RES-002
    "invalid_metric": ("train",),  # CB-METRIC-004
    "invalid_setting": ("config",),  # TR-SET-001
    "invalid_utf8": ("head",),  # CKPT-READ-002
    "io_error": ("io",),  # CKPT-READ-006
    "job_not_found": ("config",),  # STORE-CLI-005
    "key_not_string": ("head", "encode"),  # CKPT-READ-002
    "length_overrun": ("head",),  # CKPT-READ-002
    "misplaced_key": ("head", "encode"),  # CKPT-FILE-007
    "missing_key": ("head", "encode"),  # CKPT-FILE-006
    "missing_package": ("config",),  # CB-READY-012
    "monitor_missing": ("config",),  # CPC-BEST-007
    "no_checkpoint_dir": ("config",),  # TR-RES-016
    "no_usable_checkpoint": ("restore",),  # TR-RES-003
    "node_limit": ("head", "encode"),  # CKPT-LIM-001
    "not_a_checkpoint": ("open", "encode"),  # CKPT-READ-001
    "not_a_file": ("io",),  # CKPT-READ-006
    "not_a_folder": ("io",),  # STORE-SAVE-010
    "not_a_job": ("config",),  # STORE-CLI-005
    "not_resumable": ("restore",),  # TR-REST-006
    "not_writable": ("io",),  # STORE-SAVE-010
    "option_ignored": ("config",),  # STORE-CLI-005
    "rank_limit": ("head", "encode"),  # CKPT-LIM-001
    "reserved_byte": ("head",),  # CKPT-READ-002
    "segment_digest_mismatch": ("segment",),  # CKPT-SEG-008
    "segment_limit": ("framing", "encode"),  # CKPT-LIM-001
    "several_checkpoint_callbacks": ("config",),  # CB-ORDER-004
    "size_mismatch": ("framing", "encode"),  # CKPT-VAL-006
    "state_mismatch": ("restore",),  # TR-REST-001
    "tensor_limit": ("head", "encode"),  # CKPT-LIM-001
    "training_interrupted": ("train",),  # TR-FAIL-004
    "unknown_dtype": ("head", "encode"),  # CKPT-VAL-004
    "unreferenced_segment": ("framing",),  # CKPT-VAL-011
    "unserializable_value": ("encode",),  # CKPT-VAL-002
    "unsupported_codec": ("framing",),  # CKPT-SEG-006
    "unsupported_ext": ("head",),  # CKPT-VAL-012
    "unsupported_feature": ("head", "encode"),  # CKPT-FILE-009
    "unsupported_loader": ("config",),  # TR-LOOP-006
    "unsupported_model": ("config",),  # TR-STATE-006
    "unsupported_setting": ("config",),  # CPC-SET-006
    "unsupported_version": ("open", "encode"),  # CKPT-VER-002
    "wrong_length": ("open",),  # CKPT-READ-001
    "wrong_type": ("head", "encode"),  # CKPT-FILE-008
}
