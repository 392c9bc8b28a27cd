"""Between lists of numbers and the tensors of a document."""
from std.memory import unsafe_memcpy
from ..document import Document, Tensor
from ..errors import TenutoError
from ..msgpack import canonical_float
from ..tree import Value
from .network import PARAMETERS, parameter_name, parameter_shape


def float_tensor(
    values: List[Float64], var shape: List[UInt64]
) raises TenutoError -> Tensor:
    """A float64 tensor; every NaN is the one NaN. Spec: RW-STATE-009."""
    var data = List[UInt8](capacity=8 * len(values))
    for v in values:
        var bits = canonical_float(v.to_bits[DType.uint64]())
        for i in range(8):
            data.append(UInt8(bits >> UInt64(8 * i) & 0xFF))
    return Tensor("float64", shape^, data^)


def counter_tensor(count: Int) raises TenutoError -> Tensor:
    """An int64 tensor without dimensions."""
    var data = List[UInt8](capacity=8)
    for i in range(8):
        data.append(UInt8(UInt64(count) >> UInt64(8 * i) & 0xFF))
    return Tensor("int64", List[UInt64](), data^)


def tensor_words(tensor: Tensor) -> List[UInt64]:
    """The elements of a tensor of eight bytes each, as bits."""
    var words = List[UInt64](capacity=tensor.nbytes() // 8)
    var word = UInt64(0)
    var at = UInt64(0)
    for p in tensor.pieces:
        var b = tensor.bytes(p)
        for i in range(len(b)):
            word |= UInt64(b[i]) << (8 * at)
            at += 1
            if at == 8:
                words.append(word)
                word = 0
                at = 0
    return words^


def tensor_floats(tensor: Tensor) -> List[Float64]:
    """The elements of a float64 tensor."""
    var values = List[Float64]()
    for word in tensor_words(tensor):
        values.append(Float64(from_bits=word))
    return values^


def named_tensors(
    mut doc: Document, values: List[List[Float64]], features: Int, hidden: Int
) raises TenutoError -> Value:
    """The map of the four parameters by their names. Spec: RW-STATE-001."""
    var m = Value.map()
    for p in range(PARAMETERS):
        var shape = parameter_shape(p, features, hidden)
        m.put(parameter_name(p), doc.add(float_tensor(values[p], shape^)))
    return m^


def named_floats(
    doc: Document, m: Value
) raises TenutoError -> List[List[Float64]]:
    """The parameters of a map that has been compared."""
    var values = List[List[Float64]](capacity=PARAMETERS)
    for p in range(PARAMETERS):
        ref v = m.get(parameter_name(p))
        values.append(tensor_floats(doc.tensors[Int(v.bits)]))
    return values^
