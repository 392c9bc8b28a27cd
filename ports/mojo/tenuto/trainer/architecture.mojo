"""The description of a model in a checkpoint, with its fingerprint."""
from ..hash import xxh64
from ..msgpack import Encoder, Kind
from ..tree import Value


def _encode(mut e: Encoder, v: Value):
    """A tree of text, bools, integers, arrays and sorted maps, canonical."""
    if v.kind == Kind.STR:
        e.text(v.data)
    elif v.kind == Kind.BOOL:
        e.u8(0xC2 + UInt8(v.bits))
    elif v.kind == Kind.INT:
        e.int(Int64(v.bits))
    else:
        if v.kind == Kind.MAP:
            e.map(v.pairs())
        else:
            e.array(len(v.items))
        for i in range(len(v.items)):
            _encode(e, v.items[i])


def _hex(word: UInt64) -> String:
    comptime DIGITS = "0123456789abcdef"
    var text = List[UInt8](capacity=16)
    for i in range(16):
        var digit = Int(word >> UInt64(60 - 4 * i) & 15)
        text.append(DIGITS.as_bytes()[digit])
    return String(from_utf8_lossy=text)


def describe(
    var modules: Value, var trainable: Value, var shapes: Value, count: Int
) -> Value:
    """The map `metadata.architecture`.

    `modules` and `trainable` are maps of names, `shapes` the map of the name of
    each tensor to an array of its dtype and its sizes, `count` the number of
    elements of all parameters. Spec: TR-STATE-008, TR-STATE-009.
    """
    var parts = Value.array()
    parts.push(modules.copy())
    parts.push(trainable.copy())
    parts.push(shapes^)
    var e = Encoder(512)
    _encode(e, parts)
    var m = Value.map()
    m.put("modules", modules^)
    m.put("trainable", trainable^)
    m.put("parameter_count", Value.int(Int64(count)))
    m.put("fingerprint", Value.text(_hex(xxh64(e^.finish()))))
    return m^
