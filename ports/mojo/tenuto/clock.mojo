"""Clocks, and bits that nobody can foretell."""
from std.ffi import c_int, c_size_t, c_ssize_t, external_call


def _read(clock: c_int) -> Array[Int64, 2]:
    """Seconds and nanoseconds."""
    var now = Array[Int64, 2](fill=0)
    _ = external_call["clock_gettime", c_int](clock, Pointer(to=now))
    return now^


def seconds() -> Float64:
    """Seconds by a clock that is never set. Spec: GEN-TIME-001."""
    var now = _read(1)  # CLOCK_MONOTONIC
    return Float64(now[0]) + Float64(now[1]) / 1e9


def _two(n: Int) -> String:
    return String("0" if n < 10 else "", n)


struct TimeOfDay(Copyable):
    """A moment in UTC, for people."""

    var date: List[String]  # year, month, day, hour, minute, second
    var millisecond: Int

    def __init__(out self):
        """Now."""
        var now = _read(0)  # CLOCK_REALTIME
        self = Self(seconds=Int(now[0]), millisecond=Int(now[1]) // 1000000)

    def __init__(out self, *, seconds: Int, millisecond: Int):
        """A number of seconds after 1970-01-01, at least 0."""
        # Days to a date, in eras of 400 years that start on 1 March.
        var days = seconds // 86400 + 719468
        var rest = seconds % 86400
        var era = days // 146097
        var day = days % 146097
        var year = (day - day // 1460 + day // 36524 - day // 146096) // 365
        day -= 365 * year + year // 4 - year // 100
        var month = (5 * day + 2) // 153
        day -= (153 * month + 2) // 5
        month = month + 3 if month < 10 else month - 9
        year += 400 * era + (1 if month <= 2 else 0)
        self.date = [
            String(year),
            _two(month),
            _two(day + 1),
            _two(rest // 3600),
            _two(rest // 60 % 60),
            _two(rest % 60),
        ]
        self.millisecond = millisecond

    def rfc3339(self) -> String:
        """Such as 2026-01-31T23:59:59.123Z. Spec: TR-STATE-003."""
        ref d = self.date
        var ms = String(self.millisecond)
        while ms.byte_length() < 3:
            ms = "0" + ms
        return String(
            d[0], "-", d[1], "-", d[2], "T", d[3], ":", d[4], ":", d[5], ".",
            ms, "Z",
        )  # fmt: skip

    def compact(self) -> String:
        """Such as 20260131T235959Z. Spec: CPC-NAME-009."""
        ref d = self.date
        return String(d[0], d[1], d[2], "T", d[3], d[4], d[5], "Z")


def random_hex(digits: Int) -> String:
    """So many random hex digits. Spec: TR-STATE-003."""
    comptime HEX = "0123456789abcdef"
    var bytes = List[UInt8](length=digits, fill=0)
    var got = 0
    while got < digits:
        var n = external_call["getrandom", c_ssize_t](
            bytes.unsafe_ptr().unsafe_offset(got),
            c_size_t(digits - got),
            c_int(0),
        )
        if n > 0:
            got += Int(n)
    var text = List[UInt8](capacity=digits)
    for b in bytes:
        text.append(HEX.as_bytes()[Int(b & 15)])
    return String(from_utf8_lossy=text)
