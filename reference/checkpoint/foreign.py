"""What a file is that is no checkpoint of this format, as far as its first bytes tell. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["SNIFF_BYTES", "name_foreign"]

SNIFF_BYTES: Final = 64  # how much of the start of a file `name_foreign` wants to see

_SIGNATURES: Final = (
    (b"PK\x03\x04", "a zip archive, as torch.save writes it"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy .npy file"),
    (b"GGUF", "a GGUF file, as llama.cpp reads it"),
    (b"version https://git-lfs", "a git-lfs pointer and not the file itself, which `git lfs pull` fetches"),
)
_SAFETENSORS_HEADER_MAX: Final = 100_000_000  # the limit that the safetensors library sets itself
_JSON_START: Final = re.compile(rb'\{\s*["}]')
_HTML: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html)\b", re.IGNORECASE)
_PICKLE: Final = re.compile(rb"\x80[\x02-\x05]")


def name_foreign(start: bytes) -> str | None:
    """Names the format that a file begins with.

    Args:
        start: The first bytes of the file, `SNIFF_BYTES` of them or the whole file if it is shorter.

    Returns:
        A noun phrase, such as `a safetensors file`; None if the bytes tell nothing. A file of this format is not named:
        0x80 also begins an empty msgpack map, but no checkpoint is one.

    Spec: STORE-CLI-003.
    """
    if not start:
        return "an empty file"
    for signature, name in _SIGNATURES:
        if start.startswith(signature):
            return name
    if _PICKLE.match(start):
        return "a Python pickle, which can run any code when it is loaded"
    if _HTML.match(start):
        return "an HTML page, perhaps an error page or a login that was saved in place of the file"
    header_bytes = int.from_bytes(start[:8], "little")
    if 2 <= header_bytes <= _SAFETENSORS_HEADER_MAX and _JSON_START.match(start, 8):
        return "a safetensors file"
    return None
