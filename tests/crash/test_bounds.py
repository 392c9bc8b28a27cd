"""What reading may cost and touch: memory, steps, and nothing outside of the folder. No clock is asked."""

import json
import os
import subprocess
import sys
import tracemalloc

import pytest

from crash.decoding import code_of, opened, seeds
from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.families.compressed import compressed
from tenuto.conformance_tests.oracle.frame import file, frame
from tenuto.conformance_tests.oracle.tree import Pairs, Raw, Tensor, filled, make
from tenuto.conformance_tests.oracle.zstd_frames import repeated, zstd
from tenuto.reference.checkpoint import BufferSource, open_checkpoint, write_checkpoint
from tenuto.reference.checkpoint.files import read_checkpoint

MIB = 1 << 20
NESTED = b"\x91" * 29 + op.NIL

# Name -> the value that fills a head, and how many nodes that is.
HEADS = {
    "empty maps": (op.array32(60_000) + op.fixmap(0) * 60_000, 60_000),
    "empty arrays": (op.array32(60_000) + op.fixarray(0) * 60_000, 60_000),
    "texts of two letters": (
        op.array32(60_000) + b"".join(op.fixstr(b"%02x" % (n % 256)) for n in range(60_000)),
        60_000,
    ),
    "integers": (op.array32(60_000) + b"".join(op.uint32(n * 65_537 % 2**32) for n in range(60_000)), 60_000),
    "deep arrays": (op.array32(2_000) + NESTED * 2_000, 60_000),
    "one text": (op.str32(b"a" * (4 * MIB)), 1),
    "one bin": (op.bin32(bytes(4 * MIB)), 1),
    "tensors": (op.array32(20_000) + op.ext8(1, b"\x93\xa4bool\x91\x00\x90") * 20_000, 20_000),
    "counts that lie": (op.array32(3_000) + op.array32(2**31) * 3_000, 3_000),
}


def peak_of(act):
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.req("CKPT-LIM-003")
@pytest.mark.parametrize("name", HEADS)
def test_reading_a_head_takes_no_more_than_twice_its_size_and_a_share_for_each_node(name):
    value, nodes = HEADS[name]
    data = file(make(model_state=Raw(value)))
    size = len(frame(make(model_state=Raw(value))).head)
    assert peak_of(lambda: code_of(data)) <= 2 * size + 8 * MIB + 512 * (nodes + 21)


LIMITED = """
import resource, sys
from tenuto.reference.checkpoint import read_checkpoint
from tenuto.reference.errors import CheckpointError
spent = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (spent + int(sys.argv[2]),) * 2)
try:
    document = read_checkpoint(sys.argv[1])
    print(len(document.head["model_state"].data))
except CheckpointError as error:
    print(error.code)
"""


def limited(path, allowed):
    """Reads a file in a process whose whole address space may grow by so much, C code and mappings included."""
    command = [sys.executable, "-c", LIMITED, str(path), str(allowed)]
    own = os.environ | {"MALLOC_ARENA_MAX": "1"}  # else each thread reserves addresses that it never uses
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=own)
    return ended.stdout.strip(), ended.stderr


@pytest.mark.req("CKPT-LIM-003")
def test_a_whole_load_fits_its_payload_and_a_tenth(tmp_path):
    size = 64 * MIB
    (tmp_path / "a.ckpt").write_bytes(file(make(model_state=Tensor("uint8", (size,), bytes(size)))))
    assert limited(tmp_path / "a.ckpt", size * 11 // 10 + 32 * MIB) == (str(size), "")


@pytest.mark.req("CKPT-LIM-003", "CKPT-READ-005")
def test_what_claims_to_be_huge_is_refused_in_little_memory(tmp_path):
    claims = {
        "array": op.array32(2**32 - 1),
        "chain": (op.array16(2**16 - 1)) * 3000,
        "map": op.map32(2**32 - 1),
        "bin": op.bin32(b"", 2**32 - 1),
        "ext": op.ext32(1, b"", 2**32 - 1),
    }
    for name, code in claims.items():
        (tmp_path / name).write_bytes(file(make(model_state=Raw(code))))
        assert limited(tmp_path / name, 32 * MIB) == ("length_overrun", "")


@pytest.mark.req("CKPT-ZSTD-006", "CKPT-ZSTD-003", "CKPT-READ-005")
def test_a_compressed_load_fits_its_payload_and_a_bomb_is_refused_in_little_memory(tmp_path):
    size, part = 256 * MIB, 16 * MIB  # of two parts at a time there are three copies
    plain = file(make(model_state=Tensor("uint8", (size,), bytes(size))))
    document = open_checkpoint(BufferSource(memoryview(plain))).document()
    write_checkpoint(tmp_path / "a.ckpt", document, compression="zstd")
    assert (tmp_path / "a.ckpt").stat().st_size < size // 99
    assert limited(tmp_path / "a.ckpt", size * 11 // 10 + 6 * part + 32 * MIB) == (str(size), "")
    bomb = zstd(1000, *[repeated(0, 131_072, last=False)] * 8192, repeated(0, 1))  # a GiB out of 32 KiB
    lie = compressed(
        make(model_state=Tensor("uint8", (40_000,), bytes(40_000))),
        {0: bomb[:5] + (40_000).to_bytes(4, "little") + bomb[9:]},
    )
    (tmp_path / "b.ckpt").write_bytes(lie.build())
    assert limited(tmp_path / "b.ckpt", 32 * MIB) == ("bad_compressed_segment", "")


def steps_of(act):
    """How many lines of Python an act runs."""
    count = 0

    def line(_, event, __):
        nonlocal count
        count += event == "line"
        return line

    sys.settrace(lambda *_: line)
    try:
        act()
    finally:
        sys.settrace(None)
    return count


def many_keys(count):
    return Raw(b"".join((op.map32(count), *(op.str16(b"%d" % n) + op.NIL for n in range(count)))))


@pytest.mark.req("CKPT-READ-002", "CKPT-LIM-001")
@pytest.mark.parametrize(
    "grown",
    [
        many_keys,
        lambda count: Raw(op.array32(count) + op.fixmap(0) * count),
        lambda count: Raw(op.array32(count // 30) + NESTED * (count // 30)),
        lambda count: Raw(op.array32(count) + op.ext8(1, b"\x93\xa4bool\x91\x00\x90") * count),
        lambda count: [filled("uint8", 3, seed=n % 9) for n in range(count)],
    ],
    ids=["keys", "empty maps", "depth", "empty tensors", "segments"],
)
def test_four_times_the_input_takes_four_times_the_steps(grown):
    small, large = (file(make(model_state=grown(count))) for count in (600, 2400))
    once, four = steps_of(lambda: opened(small)), steps_of(lambda: opened(large))
    assert four < 4.2 * once


@pytest.mark.req("CKPT-READ-002")
def test_a_repeated_key_among_many_is_found():
    pairs = tuple((op.str16(b"%d" % number), None) for number in range(20_000))
    assert code_of(file(make(model_state=Pairs((*pairs, pairs[0]), op.map16(20_001))))) == "duplicate_key"


WATCHED = """
import json, sys
from tenuto.reference.checkpoint import read_checkpoint, verify_checkpoint
from tenuto.reference.checkpoint.newest import find_latest_checkpoint
from tenuto.reference.errors import TenutoError
seen = []
sys.addaudithook(lambda event, arguments: seen.append((event, str(arguments[:1]))))
for name in sys.argv[2:]:
    for read in (read_checkpoint, verify_checkpoint):
        try:
            read(f"{sys.argv[1]}/{name}")
        except TenutoError:
            pass
try:
    find_latest_checkpoint(sys.argv[1])
except TenutoError:
    pass
told = list(seen)
print(json.dumps(told))
"""


@pytest.mark.req("CKPT-FILE-010")
def test_reading_imports_runs_and_connects_to_nothing_and_opens_nothing_elsewhere(tmp_path):
    files = {"good.ckpt": seeds()["usual"], "tensors.ckpt": seeds()["tensors"], "cut.ckpt": seeds()["usual"][:-9]}
    files["pickle.ckpt"] = b"cos\nsystem\n(S'true'\ntR." * 20
    files["bad.ckpt"] = file(make(model_state=[Raw(b"\xc1")]))
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-c", WATCHED, str(tmp_path), *files]
    seen = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    events = {event for event, _ in seen}
    harmless = {
        "open",
        "os.listdir",
        "mmap.__new__",
        "object.__getattr__",
        "code.__new__",
        "sys._getframe",
        "os.scandir",
    }
    assert events <= harmless | {"builtins.id", "object.__setattr__"}, events
    opens = [path for event, path in seen if event == "open"]
    assert opens
    assert all(path.startswith(f"('{tmp_path}{os.sep}") for path in opens), opens
    assert read_checkpoint(tmp_path / "good.ckpt").canonical
