"""Lane A': the system sees exactly the operations that the recorder has noted: nothing goes around the seam."""

import pytest

from crash.record import Lane, conclude, sized
from crash.trace import seen, trace
from crash.workloads import SETTINGS

VERBS = ("best", "save", "async", "retention", "recovery", "rewind", "save", "emergency", "resume")
BACKWARDS = VERBS[::-1]
LONG = [("save",), ("best", "best", "best", "retention"), ("recovery", "recovery", "save"), VERBS, BACKWARDS]
WORKLOADS = sized([VERBS], LONG)
FLOOR = sized(300, 1_000)


def test_the_system_sees_what_the_recorder_notes(tmp_path, record_property):
    executed = 0
    for number, (settings, verbs) in enumerate((one, verbs) for one in SETTINGS for verbs in WORKLOADS):
        place = tmp_path / str(number)
        place.mkdir()
        noted, system = trace(place, settings, verbs)
        assert system == noted, (settings, verbs)
        executed += len(noted)
    conclude(Lane("A' strace", executed, executed, 0, 0, FLOOR), record_property)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '7 openat(AT_FDCWD</>, "/r/a", O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0644) = 3</r/a>',
            ("create", "a"),
        ),
        ('7 writev(3</r/a>, [{iov_base=""..., iov_len=5}], 1) = 5', ("write", "a")),
        ('7 rename("/r/a", "/r/b") = 0', ("rename", "a", "b")),
        ("7 fsync(3</r>) = 0", ("sync", ".")),
    ],
)
def test_a_call_is_read_as_the_operation_that_it_is(line, expected):
    assert list(seen(line, "/r")) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        '7 openat(AT_FDCWD</>, "/r/a", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 3</r/a>',
        '7 openat(AT_FDCWD</>, "/r/a", O_WRONLY|O_CREAT|O_NOFOLLOW|O_CLOEXEC, 0644) = 3</r/a>',
        "7 ftruncate(3</r/a>, 5) = 0",
        '7 truncate("/r/a", 5) = 0',
    ],
)
def test_a_call_that_no_operation_makes_is_seen(line):
    assert [one[0] for one in seen(line, "/r")] == ["unknown"]
