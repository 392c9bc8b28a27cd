"""Compressed files that a port wrote: proven in every byte, and turned into what they would be uncompressed.

Spec: section 14 of 40-ckpt-format.md, CPC-SET-007, CONF-VERDICT-007.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgpack
from attrs import evolve

from tenuto.conformance_tests.cases import SuiteError
from tenuto.conformance_tests.judge import Judgement, fail
from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.oracle.frame import file, frame
from tenuto.conformance_tests.oracle.zstd_frames import padded, window
from tenuto.conformance_tests.scenarios.folder import Contents
from tenuto.conformance_tests.scenarios.witness import NoCheckpointError, read_stored

FEATURE = "zstd"
LARGEST = 16_777_216  # bytes of a compressed segment, and of a window
PAYS = 4096  # a tensor of so many equal bytes is compressed, whoever decides what pays


def is_asked_for(*scenarios: Mapping[str, Json]) -> bool:
    """Returns whether a scenario, or one of several, asks for compression."""
    return any(without_setting(scenario) != scenario for scenario in scenarios)


def without_setting(scenario: Mapping[str, Json]) -> dict[str, Any]:
    """Returns the scenario that leads to the same, but for the form of the files: what the oracle foretells.

    Spec: CPC-SET-007.
    """
    found: dict[str, Any] = {**scenario}
    found["callbacks"] = [_uncompressed_callback(one) for one in found["callbacks"]]
    return found


def _uncompressed_callback(callback: dict[str, Any]) -> dict[str, Any]:
    settings = callback.get("checkpoint", {})
    if settings.get("compression") != f"s:{FEATURE}":
        return callback
    return {**callback, "checkpoint": {key: value for key, value in settings.items() if key != "compression"}}


def uncompressed(found: Contents, before: Contents, *, is_asked: bool) -> Contents | Judgement:
    """Returns a folder with the canonical form of each file in place of the compressed one.

    Args:
        found: What lies there.
        before: What lay there before the attempt.
        is_asked: Whether what is new was to be compressed.

    Spec: CKPT-ZSTD-001 to CKPT-ZSTD-007, CPC-SET-007.
    """
    data = dict(found.data)
    for name in sorted(name for name in data if name.endswith(".ckpt")):
        try:
            data[name], left = plain_form(data[name])
        except NoCheckpointError as error:
            return fail(f"{name}: {error}", "a compressed checkpoint (CKPT-ZSTD-002)", f"{len(data[name])} bytes")
        is_old = found.data[name] in before.data.values()
        if not is_asked and not is_old and data[name] != found.data[name]:
            return fail(f"{name}: compressed (CPC-SET-007)", "stored as it is", "compressed")
        if is_asked and not is_old and left:
            return fail(f"{name}: a tensor of {left} equal bytes", "compressed (CKPT-ZSTD-005)", "stored as it is")
    return evolve(found, data=data)


def plain_form(data: bytes) -> tuple[bytes, int]:
    """Returns the canonical form of a file, and the size of a tensor that was to be compressed and is not, or 0.

    Raises:
        NoCheckpointError: The file is not what it has to be.
    """
    try:
        top: dict[str, Any] = msgpack.unpackb(data, ext_hook=msgpack.ExtType, strict_map_key=True)
        segments = list(zip(top["segments"], top["segment_table"], strict=True))
        left = max((row[2] for kept, row in segments if _is_even(kept, row)), default=0)
        if top["requires"] != [FEATURE]:
            return data, left
        stored = [bytes(kept[-row[1] :]) for kept, row in segments]
        sizes = {number: row[2] for number, (_, row) in enumerate(segments) if row[3]}
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise NoCheckpointError(f"{error!r}; expected a checkpoint") from error
    raw = [_raw(number, one, sizes[number]) if number in sizes else one for number, one in enumerate(stored)]
    document = {**read_stored(data, raw), "requires": []}
    proof = evolve(frame({**document, "requires": [FEATURE]}), segments=tuple(stored), raw_bytes=sizes).build()
    if proof != data or not sizes:
        raise NoCheckpointError("not the frame of its compressed segments, or none is compressed (CKPT-ZSTD-001)")
    return file(document), left


def _is_even(data: bytes, row: list[int]) -> bool:
    """Whether a segment that is not compressed is long, and one byte over and over."""
    return row[3] == 0 and row[2] >= PAYS and len(set(data[-row[1] :])) == 1


def _raw(number: int, stored: bytes, size: int) -> bytes:
    """Returns what a segment holds; the padding behind its frame is compared."""
    zstd = zstd_library()
    try:
        frame_bytes = zstd.get_frame_size(stored)
        info = zstd.get_frame_info(stored)
        raw: bytes = zstd.ZstdDecompressor().decompress(stored[:frame_bytes], LARGEST + 1)
    except zstd.ZstdError as error:
        raise NoCheckpointError(f"segment {number}: {error}") from error
    alone, least = stored[:frame_bytes], -(-size // 100)
    expected = alone if frame_bytes >= least else padded(alone, max(frame_bytes + 8, least))
    fits = info.decompressed_size == len(raw) == size <= LARGEST and window(stored) <= LARGEST
    if stored != expected or not fits or info.dictionary_id or len(stored) >= size:
        raise NoCheckpointError(f"segment {number}: {len(stored)} bytes for {size} (CKPT-ZSTD-002 to CKPT-ZSTD-004)")
    return raw


def zstd_library() -> Any:  # noqa: ANN401 - a module
    """Returns the library, which has another name in each Python; raises `SuiteError` without it."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise SuiteError("zstd: not installed; expected it for a port that compresses: pip install 'tenuto[zstd]'")
