"""The scan of the head, before anything is built from it.

Spec: CKPT-READ-002, CKPT-READ-003, CKPT-LIM-001, CKPT-LIM-003.

Where one object breaks several rules, the order of the words of CKPT-READ-002
decides: length, reserved byte, UTF-8, kind of key, repeated key, limits.
"""
from .bytes import Ordering, compare, is_utf8, sorted_order
from .errors import Phase, TenutoError
from .hash import xxh64
from .msgpack import Header, Kind, read_header

comptime HEAD_LIMIT = 268435456
comptime NODE_LIMIT = 4194304
comptime DEPTH_LIMIT = 32
comptime TENSOR_LIMIT = 1048576
comptime TENSOR_EXT = Int8(1)


@fieldwise_init
struct Slice(ImplicitlyCopyable):
    """A stretch of the head."""

    var start: Int
    var size: Int


@fieldwise_init
struct Ext(ImplicitlyCopyable):
    """An ext value: its type and where its payload is."""

    var ext_type: Int8
    var payload: Slice


@fieldwise_init
struct Entry(ImplicitlyCopyable):
    """A pair of the top level: its key and where its value starts."""

    var key: Slice
    var value: Int


@fieldwise_init
struct _OpenMap(ImplicitlyCopyable):
    """A map whose pairs are being read: where its keys start in the stack."""

    var start: Int
    var ascending: Bool


struct _KeyOrder[origin: ImmOrigin, keys_origin: ImmOrigin](Ordering):
    """Keys of one map, by their hash and then by their bytes."""

    var head: Span[UInt8, Self.origin]
    var keys: Span[Slice, Self.keys_origin]

    def __init__(
        out self,
        head: Span[UInt8, Self.origin],
        keys: Span[Slice, Self.keys_origin],
    ):
        self.head = head
        self.keys = keys

    def key(self, i: Int) -> Span[UInt8, Self.origin]:
        var s = self.keys[i]
        return self.head[s.start : s.start + s.size]

    def word(self, i: Int) -> UInt64:
        """Any order will do that brings equal keys together."""
        return xxh64(self.key(i))

    def before(self, a: Int, b: Int) -> Bool:
        return compare(self.key(a), self.key(b)) < 0

    def repeated(self) -> Bool:
        """Whether two keys are equal, in n log n steps whatever they are."""
        var order = sorted_order(self, len(self.keys))
        for i in range(1, len(order)):
            if compare(self.key(order[i - 1]), self.key(order[i])) == 0:
                return True
        return False


def _refusal(code: StaticString, at: Int, var msg: String = "") -> TenutoError:
    return TenutoError(code, Phase.HEAD, msg^, at)


struct Scan[origin: ImmOrigin](Movable):
    """What one pass over the head found."""

    var head: Span[UInt8, Self.origin]
    var top: List[Entry]  # pairs of the top level but the last three
    var last_key: Slice  # the key that should be `segments`
    var end: Int  # offset behind it
    var exts: List[Ext]  # up to the first one of another type than 1
    var _nodes: Int
    var _tensors: Int
    var _keys: List[Slice]  # keys of the open maps, a stack
    var _open: List[_OpenMap]

    def __init__(out self, head: Span[UInt8, Self.origin]) raises TenutoError:
        """Scan the whole head. A repeated key that comes before the first
        other error is found at the end of its map and still wins.
        """
        self.head = head
        self.top = []
        self.last_key = Slice(0, 0)
        self.end = 0
        self.exts = []
        self._nodes = 0
        self._tensors = 0
        self._keys = []
        self._open = []
        try:
            self._top_level()
        except e:
            while len(self._open) > 0:
                self._close_map()
            raise e^

    def _top_level(mut self) raises TenutoError:
        """All pairs but the last three, then one key. Spec: CKPT-READ-003."""
        var h = read_header(self.head, 0, len(self.head))
        if h.kind == Kind.MAP and h.size < 3:
            raise _refusal("missing_key", 0, "fewer than three pairs")
        # The last pairs lie beyond the head: three keys and values, but for the
        # key `segments`.
        if 2 * h.size - 5 > len(self.head) - h.body:
            raise _refusal("length_overrun", 0)
        self._count(h, 0, 0)
        self._open.append(_OpenMap(0, True))
        var at = h.body
        for _ in range(h.size - 3):
            var key = self._object(at, 1, True)
            self.top.append(Entry(self._keys[len(self._keys) - 1], key.after()))
            at = self._value(key.after(), 1)
        # The key `segments` is no node of the limit.
        self._nodes -= 1
        self.end = self._object(at, 1, True).after()
        self.last_key = self._keys[len(self._keys) - 1]
        self._close_map()

    def _value(mut self, at: Int, depth: Int) raises TenutoError -> Int:
        """Scan a value inside `depth` arrays and maps; the offset behind it."""
        var h = self._object(at, depth, False)
        if h.kind == Kind.ARRAY:
            var next = h.body
            for _ in range(h.size):
                next = self._value(next, depth + 1)
            return next
        if h.kind == Kind.MAP:
            return self._pairs(h, depth + 1)
        return h.after()

    def _pairs(mut self, h: Header, depth: Int) raises TenutoError -> Int:
        """Scan the pairs of a map."""
        self._open.append(_OpenMap(len(self._keys), True))
        var at = h.body
        for _ in range(h.size):
            at = self._value(self._object(at, depth, True).after(), depth)
        self._close_map()
        return at

    def _object(
        mut self, at: Int, depth: Int, as_key: Bool
    ) raises TenutoError -> Header:
        """Check one object, not what is inside it."""
        var h = read_header(self.head, at, len(self.head))
        if h.kind == Kind.TRUNCATED or h.least() > len(self.head) - h.body:
            raise _refusal("length_overrun", at)
        if h.kind == Kind.RESERVED:
            raise _refusal("reserved_byte", at)
        if h.kind == Kind.STR and not is_utf8(
            self.head[h.body : h.body + h.size]
        ):
            raise _refusal("invalid_utf8", at)
        if as_key:
            if h.kind != Kind.STR:
                raise _refusal("key_not_string", at)
            self._push_key(Slice(h.body, h.size))
        self._count(h, at, depth)
        return h

    def _count(mut self, h: Header, at: Int, depth: Int) raises TenutoError:
        """Compare with the limits and note ext values. Spec: CKPT-LIM-001."""
        self._nodes += 1
        if self._nodes > NODE_LIMIT:
            raise _refusal("node_limit", at)
        if h.kind == Kind.ARRAY or h.kind == Kind.MAP:
            if depth + 1 > DEPTH_LIMIT:
                raise _refusal("depth_limit", at)
        if h.kind != Kind.EXT:
            return
        if h.ext_type == TENSOR_EXT:
            self._tensors += 1
            if self._tensors > TENSOR_LIMIT:
                raise _refusal("tensor_limit", at)
        # Nothing behind a foreign ext value is ever looked at: step 13 ends.
        var n = len(self.exts)
        if n == 0 or self.exts[n - 1].ext_type == TENSOR_EXT:
            self.exts.append(Ext(h.ext_type, Slice(h.body, h.size)))

    def _push_key(mut self, key: Slice):
        """Remember a key of the innermost map."""
        var n = len(self._keys)
        var m = len(self._open) - 1
        if n > self._open[m].start and self._open[m].ascending:
            var last = self._keys[n - 1]
            self._open[m].ascending = (
                compare(
                    self.head[last.start : last.start + last.size],
                    self.head[key.start : key.start + key.size],
                )
                < 0
            )
        self._keys.append(key)

    def _close_map(mut self) raises TenutoError:
        """Refuse a repeated key of the innermost map and forget its keys.
        Keys that ascend, as a writer leaves them, need no sorting.
        """
        var m = self._open.pop()
        if not m.ascending:
            var keys = Span(self._keys)[m.start : len(self._keys)]
            if _KeyOrder(self.head, keys.as_imm()).repeated():
                raise _refusal("duplicate_key", self._keys[m.start].start)
        self._keys.shrink(m.start)


def behind(head: Span[UInt8, _], at: Int) -> Int:
    """The offset behind the value at `at` of a head that was scanned."""
    var pos = at
    var left = 1
    while left > 0:
        var h = read_header(head, pos, len(head))
        left -= 1
        if h.kind == Kind.ARRAY or h.kind == Kind.MAP:
            left += h.least()
        pos = h.after()
    return pos
