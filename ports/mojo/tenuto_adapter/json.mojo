"""JSON as CONF-LINE-004 bounds it: objects, arrays, strings, true and false."""
from tenuto.errors import TenutoError, internal

# A line of 1 MiB could nest half a million arrays; the stack could not.
comptime DEPTH_LIMIT = 200


struct JsonKind:
    """What a JSON value is."""

    comptime FALSE: UInt8 = 0
    comptime TRUE: UInt8 = 1
    comptime STRING: UInt8 = 2
    comptime ARRAY: UInt8 = 3
    comptime OBJECT: UInt8 = 4


struct Json(Copyable):
    """A JSON value; `items` of an object are key, value, key, value."""

    var kind: UInt8
    var text: List[UInt8]  # UTF-8
    var items: List[Json]

    def __init__(out self, kind: UInt8 = JsonKind.FALSE):
        self.kind = kind
        self.text = {}
        self.items = {}

    # As for the trees of the library: a list of itself needs both.
    def __init__(out self, *, copy: Self):
        self.kind = copy.kind
        self.text = copy.text.copy()
        self.items = copy.items.copy()

    def __deinit__(deinit self):
        pass

    def get(
        self, key: StringSpan
    ) raises TenutoError -> ref[self.items[0]] Json:
        """A member of an object."""
        if self.kind == JsonKind.OBJECT:
            for i in range(0, len(self.items), 2):
                if Span(self.items[i].text) == key.as_bytes():
                    return self.items[i + 1]
        raise internal(String("no member ", key))

    def has(self, key: StringSpan) -> Bool:
        """Whether an object has a member."""
        if self.kind == JsonKind.OBJECT:
            for i in range(0, len(self.items), 2):
                if Span(self.items[i].text) == key.as_bytes():
                    return True
        return False

    def string(self, key: StringSpan) raises TenutoError -> String:
        """A member that is a string."""
        ref v = self.get(key)
        if v.kind != JsonKind.STRING:
            raise internal(String(key, " is not a string"))
        return String(from_utf8=v.text)

    def bool(self, key: StringSpan) raises TenutoError -> Bool:
        """A member that is true or false."""
        ref v = self.get(key)
        if v.kind > JsonKind.TRUE:
            raise internal(String(key, " is not true or false"))
        return v.kind == JsonKind.TRUE


def parse_json(line: Span[UInt8, _]) raises TenutoError -> Json:
    """The one value of a line."""
    var p = _Parser(line.as_imm())
    var v = p.value(0)
    if p.peek() != 0:
        raise internal("bytes behind the JSON value")
    return v^


struct _Parser[origin: ImmOrigin]:
    """A cursor over one line."""

    var b: Span[UInt8, Self.origin]
    var pos: Int

    def __init__(out self, b: Span[UInt8, Self.origin]):
        self.b = b
        self.pos = 0

    def peek(mut self) -> UInt8:
        """The next byte that is no blank, or 0 at the end."""
        while self.pos < len(self.b):
            var c = self.b[self.pos]
            if c != 0x20 and c != 0x09 and c != 0x0A and c != 0x0D:
                # A NUL must not look like the end.
                return c if c != 0 else UInt8(1)
            self.pos += 1
        return 0

    def take(mut self, text: StringSpan) raises TenutoError:
        """Step over the next bytes, which must be these."""
        var n = text.byte_length()
        if (
            n > len(self.b) - self.pos
            or self.b[self.pos : self.pos + n] != text.as_bytes()
        ):
            raise internal(String("expected ", text, " at ", self.pos))
        self.pos += n

    def value(mut self, depth: Int) raises TenutoError -> Json:
        """Any value."""
        if depth > DEPTH_LIMIT:
            raise internal("JSON nested too deep")
        var c = self.peek()
        if c == 0x22:
            return self.string()
        if c == 0x5B:
            return self.members(JsonKind.ARRAY, 0x5D, depth)
        if c == 0x7B:
            return self.members(JsonKind.OBJECT, 0x7D, depth)
        if c == 0x74:
            self.take("true")
            return Json(JsonKind.TRUE)
        self.take("false")
        return Json(JsonKind.FALSE)

    def members(
        mut self, kind: UInt8, close: UInt8, depth: Int
    ) raises TenutoError -> Json:
        """The elements of an array or the members of an object."""
        var v = Json(kind)
        self.pos += 1
        if self.peek() == close:
            self.pos += 1
            return v^
        while True:
            if kind == JsonKind.OBJECT:
                _ = self.peek()
                v.items.append(self.string())
                _ = self.peek()
                self.take(":")
            v.items.append(self.value(depth + 1))
            if self.peek() == close:
                self.pos += 1
                return v^
            self.take(",")

    def string(mut self) raises TenutoError -> Json:
        """A string, with its escapes undone. Spec: CONF-LINE-006."""
        self.take('"')
        var v = Json(JsonKind.STRING)
        while self.pos < len(self.b):
            var c = self.b[self.pos]
            self.pos += 1
            if c == 0x22:
                return v^
            if c == 0x5C:
                self.escape(v.text)
            elif c < 0x20 or c >= 0x80:
                break
            else:
                v.text.append(c)
        raise internal("a string without end, or not of printable ASCII")

    def escape(mut self, mut out: List[UInt8]) raises TenutoError:
        """What follows a backslash."""
        if self.pos >= len(self.b):
            raise internal("a string ends in a backslash")
        var c = self.b[self.pos]
        self.pos += 1
        if c == UInt8(ord("u")):
            append_utf8(out, self.code_point())
            return
        comptime NAMES = '"\\/bfnrt'
        comptime VALUES = '"\\/\b\f\n\r\t'
        for i in range(8):
            if c == NAMES.as_bytes()[i]:
                out.append(VALUES.as_bytes()[i])
                return
        raise internal("an unknown escape")

    def code_point(mut self) raises TenutoError -> UInt32:
        """One or two groups of four hex digits; no half of a pair."""
        var hi = self.group()
        if hi < 0xD800 or hi > 0xDFFF:
            return hi
        self.take("\\u")
        var lo = self.group()
        if hi > 0xDBFF or lo < 0xDC00 or lo > 0xDFFF:
            raise internal("half of a surrogate pair")
        return 0x10000 + ((hi - 0xD800) << 10) + (lo - 0xDC00)

    def group(mut self) raises TenutoError -> UInt32:
        """Four hex digits."""
        if len(self.b) - self.pos < 4:
            raise internal("a short escape")
        var v = UInt32(0)
        for i in range(self.pos, self.pos + 4):
            var d = hex_digit(self.b[i] | 0x20)
            if d < 0:
                raise internal("a bad escape")
            v = v << 4 | UInt32(d)
        self.pos += 4
        return v


def hex_digit(c: UInt8) -> Int:
    """The value of a lower-case hex digit, or -1."""
    if c >= 0x30 and c <= 0x39:
        return Int(c) - 0x30
    if c >= 0x61 and c <= 0x66:
        return Int(c) - 0x61 + 10
    return -1


def append_utf8(mut out: List[UInt8], c: UInt32):
    """Append the UTF-8 of a code point that is no surrogate."""
    if c < 0x80:
        out.append(UInt8(c))
        return
    if c < 0x800:
        out.append(UInt8(0xC0 | c >> 6))
    else:
        if c < 0x10000:
            out.append(UInt8(0xE0 | c >> 12))
        else:
            out.append(UInt8(0xF0 | c >> 18))
            out.append(UInt8(0x80 | (c >> 12 & 0x3F)))
        out.append(UInt8(0x80 | (c >> 6 & 0x3F)))
    out.append(UInt8(0x80 | (c & 0x3F)))


def quote(mut out: List[UInt8], prefix: StringSpan, text: Span[UInt8, _]):
    """Append a JSON string: a prefix that needs no escape, then a text."""
    comptime HEX = "0123456789abcdef"
    out.append(0x22)
    out.extend(prefix.as_bytes())
    for c in text:
        if c == 0x22 or c == 0x5C:
            out.append(0x5C)
            out.append(c)
        elif c < 0x20:
            out.extend("\\u00".as_bytes())
            out.append(HEX.as_bytes()[Int(c >> 4)])
            out.append(HEX.as_bytes()[Int(c & 15)])
        else:
            out.append(c)
    out.append(0x22)
