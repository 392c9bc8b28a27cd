"""Documents: a tree and the tensors that it names."""
from std.memory import ArcPointer
from .errors import Phase, TenutoError
from .fs import Blob
from .tree import Value

comptime DTYPE_COUNT = 19
comptime UNKNOWN_DTYPE = UInt8(255)


def _dtype_names() -> Array[StaticString, DTYPE_COUNT]:
    """Spec: CKPT-VAL-004."""
    return [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "bfloat16",
        "float32",
        "float64",
        "complex64",
        "complex128",
        "float8_e4m3fn",
        "float8_e5m2",
        "float8_e4m3fnuz",
        "float8_e5m2fnuz",
    ]


def _dtype_sizes() -> Array[Int, DTYPE_COUNT]:
    return [1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16, 1, 1, 1, 1]


comptime NAMES = _dtype_names()
comptime SIZES = _dtype_sizes()


def dtype_of(name: Span[UInt8, _]) -> UInt8:
    """The number of a dtype by its name, or UNKNOWN_DTYPE."""
    comptime for i in range(DTYPE_COUNT):
        comptime known = NAMES[i]
        if name == known.as_bytes():
            return UInt8(i)
    return UNKNOWN_DTYPE


def dtype_name(dtype: UInt8) -> StaticString:
    """The name of a dtype."""
    comptime for i in range(DTYPE_COUNT):
        comptime known = NAMES[i]
        if dtype == UInt8(i):
            return known
    return ""


def dtype_size(dtype: UInt8) -> Int:
    """Bytes of one element."""
    comptime for i in range(DTYPE_COUNT):
        comptime size = SIZES[i]
        if dtype == UInt8(i):
            return size
    return 0


def raw_bytes(dtype: UInt8, shape: List[UInt64]) -> Int:
    """Bytes of a tensor, or -1 above 2^63 - 1. Spec: CKPT-VAL-006."""
    for i in range(len(shape)):
        if shape[i] == 0:  # empty, however large the other numbers are
            return 0
    comptime MOST = (UInt64(1) << 63) - 1
    var n = UInt64(dtype_size(dtype))
    for i in range(len(shape)):
        if shape[i] > MOST // n:
            return -1
        n *= shape[i]
    return Int(n)


@fieldwise_init
struct Piece(ImplicitlyCopyable):
    """A stretch of bytes of a blob."""

    var offset: Int
    var length: Int


struct Tensor(Copyable):
    """Dtype, shape, and where the bytes are. Spec: CKPT-VAL-005."""

    var dtype: UInt8
    var shape: List[UInt64]
    var blob: ArcPointer[Blob]
    var pieces: List[Piece]

    def __init__(
        out self,
        dtype: UInt8,
        var shape: List[UInt64],
        blob: ArcPointer[Blob],
        var pieces: List[Piece],
    ):
        """A tensor in bytes that already exist, for instance in a file."""
        self.dtype = dtype
        self.shape = shape^
        self.blob = blob
        self.pieces = pieces^

    def __init__(
        out self,
        name: StringSpan,
        var shape: List[UInt64],
        var data: List[UInt8],
    ) raises TenutoError:
        """A tensor with its own bytes, little-endian and in C order."""
        self.dtype = dtype_of(name.as_bytes())
        if self.dtype == UNKNOWN_DTYPE:
            raise TenutoError("unknown_dtype", Phase.ENCODE, String(name))
        if raw_bytes(self.dtype, shape) != len(data):
            raise TenutoError("size_mismatch", Phase.ENCODE, String(name))
        self.shape = shape^
        self.pieces = []
        if len(data) > 0:
            self.pieces.append(Piece(0, len(data)))
        self.blob = ArcPointer(Blob(data^))

    def nbytes(self) -> Int:
        """Bytes of the data."""
        var n = 0
        for p in self.pieces:
            n += p.length
        return n

    def cut(self, start: Int, length: Int) -> List[Piece]:
        """Where the bytes `start` to `start + length` of the data are."""
        var found = List[Piece]()
        var at = 0  # of the data
        for p in self.pieces:
            var lo = max(start, at)
            var hi = min(start + length, at + p.length)
            if lo < hi:
                found.append(Piece(p.offset + lo - at, hi - lo))
            at += p.length
        return found^

    def bytes(self, p: Piece) -> Span[UInt8, ImmOrigin(origin_of(self.blob[]))]:
        """The bytes of one piece, without a copy."""
        return self.blob[].span()[p.offset : p.offset + p.length]


struct Document(Movable):
    """The map of the head keys, and each distinct tensor once.

    Tied tensors are one entry of `tensors`, named by two nodes of the tree.
    Spec: CKPT-VAL-009.
    """

    var root: Value
    var tensors: List[Tensor]

    def __init__(out self):
        """Everything that CKPT-FILE-002 asks for, empty."""
        self.root = Value.map()
        self.tensors = []
        self.root.put("version", Value.text("1.0"))
        self.root.put("requires", Value.array())
        var metadata = Value.map()
        metadata.put("origin", Value.map())
        self.root.put("metadata", metadata^)
        self.root.put("model_state", Value())
        self.root.put("optimizer_state", Value.map())
        self.root.put("scheduler_state", Value.map())
        self.root.put("rng_state", Value.map())
        self.root.put("callback_state", Value.map())
        self.root.put("trainer_state", Value())

    def __init__(out self, var root: Value, var tensors: List[Tensor]):
        self.root = root^
        self.tensors = tensors^

    def take_root(deinit self) -> Value:
        """The tree alone; its tensors are numbers without a meaning."""
        return self.root^

    def add(mut self, var tensor: Tensor) -> Value:
        """Take in a tensor; the value may be put into the tree many times."""
        self.tensors.append(tensor^)
        return Value.tensor(len(self.tensors) - 1)

    def strip_origin(mut self) raises TenutoError:
        """Replace `metadata.origin` by an empty map. Spec: CKPT-CANON-006."""
        var i = self.root.find("metadata")
        if i >= 0:
            self.root.items[i].put("origin", Value.map())
