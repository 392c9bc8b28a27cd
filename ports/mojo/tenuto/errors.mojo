"""The one error type of the port: a code and a phase of the specification."""


struct Phase:
    """Phases of CKPT-READ-001, `encode` of a writer and `io`."""

    comptime OPEN: StaticString = "open"
    comptime HEAD: StaticString = "head"
    comptime FRAMING: StaticString = "framing"
    comptime SEGMENT: StaticString = "segment"
    comptime ENCODE: StaticString = "encode"
    comptime IO: StaticString = "io"
    # Not a word of the specification: a fault of the caller or of the port.
    comptime INTERNAL: StaticString = "internal"


struct TenutoError(Copyable, Writable):
    """A refusal. Spec: CKPT-READ-005."""

    var code: StaticString
    var phase: StaticString
    var msg: String
    var offset: Int

    def __init__(
        out self,
        code: StaticString,
        phase: StaticString,
        var msg: String = "",
        offset: Int = -1,
    ):
        self.code = code
        self.phase = phase
        self.msg = msg^
        self.offset = offset

    @implicit
    def __init__(out self, e: Error):
        """Lets a function that raises this type call one that raises `Error`.
        """
        self.code = "internal"
        self.phase = Phase.INTERNAL
        self.msg = String(e)
        self.offset = -1

    def in_phase(self, phase: StaticString) -> Self:
        """The same refusal, met in another phase (a writer's own check)."""
        return Self(self.code, phase, self.msg.copy(), self.offset)

    def write_to(self, mut w: Some[Writer]):
        w.write(self.code, " [", self.phase, "]")
        if self.msg:
            w.write(": ", self.msg)
        if self.offset >= 0:
            w.write(" (at byte ", self.offset, ")")


def internal(var msg: String) -> TenutoError:
    """A fault that is no refusal of a file."""
    return TenutoError("internal", Phase.INTERNAL, msg^)
