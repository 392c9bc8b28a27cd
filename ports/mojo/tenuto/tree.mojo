"""Trees: the values of a document. Spec: CKPT-VAL-001."""
from .bytes import Ordering, compare, first_word, sorted_order
from .errors import TenutoError, internal
from .msgpack import Kind


struct Value(Copyable):
    """One node of a tree.

    `items` holds the elements of an array, or key, value, key, value of a map.
    A map is kept in ascending order of the UTF-8 bytes of its keys, each once:
    then writing it needs no sorting. Spec: CKPT-CANON-002.
    A tensor is its number (`bits`) in the document that it belongs to.
    """

    var kind: UInt8
    var bits: UInt64
    var data: List[UInt8]  # str and bin
    var items: List[Value]

    def __init__(out self, kind: UInt8 = Kind.NIL, bits: UInt64 = 0):
        self.kind = kind
        self.bits = bits
        self.data = {}
        self.items = {}

    # A struct that holds a list of itself must spell out both of these; the
    # fields are destroyed although the destructor is empty.
    def __init__(out self, *, copy: Self):
        self.kind = copy.kind
        self.bits = copy.bits
        self.data = copy.data.copy()
        self.items = copy.items.copy()

    def __deinit__(deinit self):
        pass

    @staticmethod
    def bool(b: Bool) -> Self:
        return Value(Kind.BOOL, UInt64(1) if b else UInt64(0))

    @staticmethod
    def int(v: Int64) -> Self:
        return Value(Kind.INT, UInt64(v))

    @staticmethod
    def uint(v: UInt64) -> Self:
        return Value(Kind.UINT if v >> 63 else Kind.INT, v)

    @staticmethod
    def float(v: Float64) -> Self:
        return Value(Kind.F64, v.to_bits[DType.uint64]())

    @staticmethod
    def blob(kind: UInt8, b: Span[UInt8, _]) -> Self:
        """A str (of UTF-8 that the caller vouches for) or a bin."""
        var v = Value(kind)
        v.data = List[UInt8](capacity=len(b))
        v.data.extend(b)
        return v^

    @staticmethod
    def text(s: StringSpan) -> Self:
        return Value.blob(Kind.STR, s.as_bytes())

    @staticmethod
    def tensor(number: Int) -> Self:
        return Value(Kind.TENSOR, UInt64(number))

    @staticmethod
    def array() -> Self:
        return Value(Kind.ARRAY)

    @staticmethod
    def map() -> Self:
        return Value(Kind.MAP)

    def pairs(self) -> Int:
        """The number of pairs of a map."""
        return len(self.items) // 2

    def as_text(self) -> String:
        """A str as text; what is no UTF-8 cannot be in a document."""
        return String(from_utf8_lossy=self.data)

    def is_count(self) -> Bool:
        """Whether it is an integer of at least 0 that an `Int` holds."""
        return self.kind == Kind.INT and Int64(self.bits) >= 0

    def as_int(self) -> Int:
        """The value of an integer."""
        return Int(Int64(self.bits))

    def as_float(self) -> Float64:
        """The value of a float64."""
        return Float64(from_bits=self.bits)

    def is_same(self, other: Value) -> Bool:
        """Whether two trees without tensors are written in the same way."""
        if (
            self.kind != other.kind
            or self.bits != other.bits
            or self.data != other.data
            or len(self.items) != len(other.items)
        ):
            return False
        for i in range(len(self.items)):
            if not self.items[i].is_same(other.items[i]):
                return False
        return True

    def push(mut self, var v: Value):
        """Append an element to an array."""
        self.items.append(v^)

    def put(mut self, key: StringSpan, var v: Value):
        """Set the value of a key of a map; order is kept."""
        var at = self._slot(key.as_bytes())
        if at < self.pairs() and self.is_key(at, key):
            self.items[2 * at + 1] = v^
            return
        self.items.insert(2 * at, v^)
        self.items.insert(2 * at, Value.text(key))

    def _slot(self, key: Span[UInt8, _]) -> Int:
        """Number of the first pair whose key is not below `key`."""
        var lo = 0
        var hi = self.pairs()
        while lo < hi:
            var mid = (lo + hi) // 2
            if compare(self.items[2 * mid].data, key) < 0:
                lo = mid + 1
            else:
                hi = mid
        return lo

    def is_key(self, pair: Int, key: StringSpan) -> Bool:
        """Whether the key of a pair is `key`."""
        return Span(self.items[2 * pair].data) == key.as_bytes()

    def find(self, key: StringSpan) -> Int:
        """Index in `items` of the value of a key of a map, or -1."""
        if self.kind != Kind.MAP:
            return -1
        var at = self._slot(key.as_bytes())
        if at < self.pairs() and self.is_key(at, key):
            return 2 * at + 1
        return -1

    def get(
        self, key: StringSpan
    ) raises TenutoError -> ref[self.items[0]] Value:
        """The value of a key of a map."""
        var i = self.find(key)
        if i < 0:
            raise internal(String("no key ", key))
        return self.items[i]

    def is_sorted(self) -> Bool:
        """Whether the keys of a map ascend strictly."""
        for i in range(2, len(self.items), 2):
            if compare(self.items[i - 2].data, self.items[i].data) >= 0:
                return False
        return True

    def sort(mut self):
        """Put the pairs of a map in order of their keys."""
        if self.is_sorted():
            return
        var order = sorted_order(_Keys(self.items), self.pairs())
        var old = List[Value]()
        swap(old, self.items)
        self.items.reserve(len(old))
        for k in range(len(order)):
            for half in range(2):
                var v = Value()
                swap(v, old[2 * order[k] + half])
                self.items.append(v^)


struct _Keys[origin: ImmOrigin](Ordering):
    """The keys of the pairs of a map."""

    var items: Span[Value, Self.origin]

    def __init__(out self, ref[Self.origin] items: List[Value]):
        self.items = items

    def word(self, i: Int) -> UInt64:
        return first_word(self.items[2 * i].data)

    def before(self, a: Int, b: Int) -> Bool:
        return compare(self.items[2 * a].data, self.items[2 * b].data) < 0
