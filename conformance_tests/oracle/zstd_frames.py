"""Frames of zstd by hand, with a knob for every part that a vector breaks. No compressor is asked.

Raw blocks and repeated bytes need no entropy coding; the one frame that has some is kept as it once came.

Spec: CKPT-ZSTD-002, CKPT-ZSTD-004; RFC 8878, section 3.1.
"""

import xxhash

MAGIC = bytes.fromhex("28b52ffd")
SKIPPABLE = bytes.fromhex("502a4d18")
RAW, REPEATED, COMPRESSED, RESERVED = range(4)

TEXT = (
    b"Whoever writes a port has the text of the specification and nothing else; "
    b"whoever reads a checkpoint has its bytes and nothing else. "
) * 4 + bytes(range(97, 123)) * 3
TEXT_FRAME = bytes.fromhex(
    "28b52ffd606201a50300d2471711907d50fa43e90fad74a37e3e8e4e6ecf0163eb8cafad74ca089f6b6ca984ce9b428603fa5513a7553d"
    "05232b9f8a0fa766fcc41e9eb677f454aaf0b979c31f5475147554f9480ff49abffaa7ea7424af13461f4ebfaa897dfe7d98440600a3e7"
    "1c8c88a736af53960283342149df1632"
)


def block(kind: int, size: int, data: bytes, *, last: bool = True) -> bytes:
    """One block; the size is that of what it holds, for repeated bytes of what comes out."""
    return (int(last) | kind << 1 | size << 3).to_bytes(3, "little") + data


def raw(data: bytes, *, last: bool = True) -> bytes:
    """A block of the bytes themselves."""
    return block(RAW, len(data), data, last=last)


def repeated(byte: int, count: int, *, last: bool = True) -> bytes:
    """A block of one byte, many times."""
    return block(REPEATED, count, bytes([byte]), last=last)


def zstd(
    size: int | None,
    *blocks: bytes,
    window: int | None = None,
    size_bytes: int = 4,
    checksum: bytes = b"",
    dictionary: bytes = b"",
    reserved: int = 0,
    magic: bytes = MAGIC,
) -> bytes:
    """A frame.

    Args:
        size: the content size that it declares; None for no such field.
        blocks: its blocks.
        window: the byte of its window; None for a single segment, which needs none.
        size_bytes: how wide the field of the content size is, 1, 2, 4 or 8.
        checksum: of the content, four bytes, or none.
        dictionary: its number, of one byte, or none.
        reserved: the bit that has to be zero.
        magic: how it begins.
    """
    flag = {1: 0, 2: 1, 4: 2, 8: 3}[size_bytes] if size is not None else 0
    single = window is None
    header = flag << 6 | single << 5 | reserved << 3 | bool(checksum) << 2 | len(dictionary)
    fields = (b"" if window is None else bytes([window])) + dictionary
    if size is not None:
        fields += (size - 256 * (size_bytes == 2)).to_bytes(size_bytes, "little")  # a field of two bytes starts at 256
    return magic + bytes([header]) + fields + b"".join(blocks) + checksum


def checksum(content: bytes) -> bytes:
    """The checksum of a content."""
    return (xxhash.xxh64_intdigest(content) & 0xFFFFFFFF).to_bytes(4, "little")


def padded(frame: bytes, total: int, *, magic: bytes = SKIPPABLE, fill: bytes = b"\x00") -> bytes:
    """A frame with a skippable one behind it, that bring it to a length.

    Spec: CKPT-ZSTD-004.
    """
    count = total - len(frame) - 8
    return frame + magic + count.to_bytes(4, "little") + fill * count


def window(frame: bytes) -> int:
    """The window of a frame in bytes, 0 for a single segment; RFC 8878, section 3.1.1.1.2."""
    if frame[4] & 0x20:
        return 0
    base = 1 << (10 + (frame[5] >> 3))
    return base + base // 8 * (frame[5] & 7)
