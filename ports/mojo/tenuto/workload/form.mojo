"""Every difference between a saved state and the live one, with its path.

Spec: TR-REST-001, TR-REST-007, TR-REST-015.
"""
from ..document import Document, dtype_name, dtype_of
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
        self._tensor(String(path, ".", key), doc, m.items[i], dtype, shape)

    def _tensor(
        mut self,
        path: StringSpan,
        doc: Document,
        v: Value,
        dtype: StringSpan,
        shape: List[UInt64],
    ):
        if v.kind != Kind.TENSOR:
            self.note(path)
            return
        var number = Int(v.bits)
        ref t = doc.tensors[number]
        if (
            t.dtype != dtype_of(dtype.as_bytes())
            or t.shape != shape
            or number in self._met
        ):
            self.note(path)
        self._met.append(number)

    def form(
        mut self,
        path: String,
        live: Document,
        v: Value,
        doc: Document,
        saved: Value,
    ):
        """A whole part of a state: the same keys, lengths and kinds as in a
        live one, and tensors of the same dtypes and shapes; the values are
        free.
        """
        if v.kind == Kind.TENSOR:
            ref t = live.tensors[Int(v.bits)]
            self._tensor(path, doc, saved, dtype_name(t.dtype), t.shape)
        elif v.kind == Kind.MAP:
            if self.names(path, saved, _keys(v)):
                for i in range(0, len(v.items), 2):
                    var name = v.items[i].as_text()
                    var at = saved.find(name)
                    if at >= 0:
                        self.form(
                            String(path, ".", name),
                            live,
                            v.items[i + 1],
                            doc,
                            saved.items[at],
                        )
        elif v.kind == Kind.ARRAY:
            if saved.kind != v.kind or len(saved.items) != len(v.items):
                self.note(path)
                return
            for i in range(len(v.items)):
                self.form(
                    String(path, "[", i, "]"),
                    live,
                    v.items[i],
                    doc,
                    saved.items[i],
                )
        elif not (saved.kind == v.kind or (_is_whole(v) and _is_whole(saved))):
            self.note(path)


def _keys(m: Value) -> List[String]:
    var names = List[String]()
    for i in range(0, len(m.items), 2):
        names.append(m.items[i].as_text())
    return names^


def _is_whole(v: Value) -> Bool:
    return v.kind == Kind.INT or v.kind == Kind.UINT
