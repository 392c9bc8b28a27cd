"""The one error type of the port: a code and a phase of the specification."""


struct Phase:
    """The phases of `80-error-codes.md`."""

    comptime OPEN: StaticString = "open"
    comptime HEAD: StaticString = "head"
    comptime FRAMING: StaticString = "framing"
    comptime SEGMENT: StaticString = "segment"
    comptime ENCODE: StaticString = "encode"
    comptime IO: StaticString = "io"
    comptime CONFIG: StaticString = "config"
    comptime RESTORE: StaticString = "restore"
    comptime TRAIN: StaticString = "train"
    # Not a word of the specification: a fault of the caller or of the port.
    comptime INTERNAL: StaticString = "internal"


struct TenutoError(Copyable, Writable):
    """A refusal. Spec: CKPT-READ-005."""

    var code: String
    var phase: StaticString
    var msg: String
    var offset: Int
    var mismatches: List[String]  # of `state_mismatch`: the paths, sorted
    var exit_code: Int  # of `training_interrupted`

    def __init__(
        out self,
        var code: String,
        phase: StaticString,
        var msg: String = "",
        offset: Int = -1,
    ):
        self.code = code^
        self.phase = phase
        self.msg = msg^
        self.offset = offset
        self.mismatches = []
        self.exit_code = 0

    @implicit
    def __init__(out self, e: Error):
        """Lets a function that raises this type call one that raises `Error`.
        """
        self.code = "internal"
        self.phase = Phase.INTERNAL
        self.msg = String(e)
        self.offset = -1
        self.mismatches = []
        self.exit_code = 0

    def in_phase(self, phase: StaticString) -> Self:
        """The same refusal, met in another phase (a writer's own check)."""
        return Self(self.code.copy(), phase, self.msg.copy(), self.offset)

    def write_to(self, mut w: Some[Writer]):
        w.write(self.code, " [", self.phase, "]")
        if self.msg:
            w.write(": ", self.msg)
        if self.offset >= 0:
            w.write(" (at byte ", self.offset, ")")


def internal(var msg: String) -> TenutoError:
    """A fault that is no refusal of a file."""
    return TenutoError("internal", Phase.INTERNAL, msg^)
