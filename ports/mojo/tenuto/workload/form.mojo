"""Every difference between a saved state and the live one, with its path.

Spec: TR-REST-001, TR-REST-007, TR-REST-015.
"""
from ..document import Document, dtype_of
from ..msgpack import Kind
from ..tree import Value


struct Comparison(Movable):
    """Collects the paths of what differs."""

    var mismatches: List[String]
    var _met: List[Int]  # tensors met so far

    def __init__(out self):
        self.mismatches = []
        self._met = []

    def take(deinit self) -> List[String]:
        """The paths alone."""
        return self.mismatches^

    def note(mut self, path: StringSpan):
        """Something differs at this path."""
        self.mismatches.append(String(path))

    def names(
        mut self, path: StringSpan, v: Value, names: List[String]
    ) -> Bool:
        """Note the names that only one side has; whether it is a map at all."""
        if v.kind != Kind.MAP:
            self.note(path)
            return False
        for name in names:
            if v.find(name) < 0:
                self.note(String(path, ".", name))
        for i in range(0, len(v.items), 2):
            var found = v.items[i].as_text()
            if found not in names:
                self.note(String(path, ".", found))
        return True

    def exactly(
        mut self, path: StringSpan, m: Value, key: StringSpan, v: Value
    ):
        """A value that is always the same."""
        var i = m.find(key)
        if i >= 0 and not m.items[i].is_same(v):
            self.note(String(path, ".", key))

    def real(mut self, path: StringSpan, m: Value, key: StringSpan):
        """A float64."""
        var i = m.find(key)
        if i >= 0 and m.items[i].kind != Kind.F64:
            self.note(String(path, ".", key))

    def real_or_nil(mut self, path: StringSpan, m: Value, key: StringSpan):
        """A float64 or nil."""
        var i = m.find(key)
        if i >= 0 and m.items[i].kind != Kind.NIL:
            self.real(path, m, key)

    def count(mut self, path: StringSpan, m: Value, key: StringSpan):
        """An integer of at least 0, far below what an `Int` holds."""
        var i = m.find(key)
        comptime MOST = 1 << 62
        if i >= 0 and not (
            m.items[i].is_count() and m.items[i].as_int() <= MOST
        ):
            self.note(String(path, ".", key))

    def word(mut self, path: StringSpan, m: Value, key: StringSpan):
        """An integer in [0, 2^64)."""
        var i = m.find(key)
        if i >= 0 and not (
            m.items[i].is_count() or m.items[i].kind == Kind.UINT
        ):
            self.note(String(path, ".", key))

    def tensor(
        mut self,
        path: StringSpan,
        doc: Document,
        m: Value,
        key: StringSpan,
        dtype: StringSpan,
        shape: List[UInt64],
    ):
        """A tensor of a dtype and a shape that shares no storage."""
        var i = m.find(key)
        if i < 0:
            return
        var full = String(path, ".", key)
        if m.items[i].kind != Kind.TENSOR:
            self.note(full)
            return
        var number = Int(m.items[i].bits)
        ref t = doc.tensors[number]
        if (
            t.dtype != dtype_of(dtype.as_bytes())
            or t.shape != shape
            or number in self._met
        ):
            self.note(full)
        self._met.append(number)
