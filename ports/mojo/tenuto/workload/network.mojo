"""The network: two layers, their gradients, dropout."""
from std.math import sqrt
from .data import Sample
from .generator import Generator

comptime PARAMETERS = 4


def parameter_name(index: Int) -> StaticString:
    """The name of a parameter. Spec: RW-MODEL-001, RW-STATE-001."""
    if index == 0:
        return "layer1.weight"
    if index == 1:
        return "layer1.bias"
    if index == 2:
        return "layer2.weight"
    return "layer2.bias"


def parameter_shape(index: Int, features: Int, hidden: Int) -> List[UInt64]:
    """The shape of a parameter."""
    if index == 0:
        return [UInt64(hidden), UInt64(features)]
    if index == 1:
        return [UInt64(hidden)]
    if index == 2:
        return [UInt64(1), UInt64(hidden)]
    return [UInt64(1)]


def zeros(like: List[List[Float64]]) -> List[List[Float64]]:
    """Parameters of the same sizes, 0.0 everywhere. Spec: RW-ACC-002."""
    var made = List[List[Float64]](capacity=len(like))
    for i in range(len(like)):
        made.append(List[Float64](length=len(like[i]), fill=0.0))
    return made^


def _drawn(mut generator: Generator, count: Int, inputs: Int) -> List[Float64]:
    var values = List[Float64](capacity=count)
    for _ in range(count):
        values.append(
            (2.0 * generator.unit() - 1.0) * (1.0 / sqrt(Float64(inputs)))
        )
    return values^


def initial_values(
    var generator: Generator, features: Int, hidden: Int
) -> List[List[Float64]]:
    """The four parameters at the start. Spec: RW-MODEL-001."""
    var values = List[List[Float64]](capacity=PARAMETERS)
    values.append(_drawn(generator, hidden * features, features))
    values.append(List[Float64](length=hidden, fill=0.0))
    values.append(_drawn(generator, hidden, hidden))
    values.append(List[Float64](length=1, fill=0.0))
    return values^


struct Network(Copyable):
    """The parameters, in the order of their indices, and the buffer."""

    var values: List[List[Float64]]
    var seen: Int
    var dropout: Float64

    def __init__(out self, var values: List[List[Float64]], dropout: Float64):
        self.values = values^
        self.seen = 0
        self.dropout = dropout

    def _output(
        self,
        x: List[Float64],
        keep: List[Bool],
        q: Float64,
        mut active: List[Bool],
        mut m: List[Float64],
    ) -> Float64:
        """The output of a sample. Spec: RW-MODEL-002."""
        var features = len(x)
        var o = self.values[3][0]
        for j in range(len(m)):
            var z = self.values[1][j]
            for i in range(features):
                z = z + self.values[0][j * features + i] * x[i]
            active[j] = z > 0.0
            m[j] = z / q if active[j] and keep[j] else Float64(0.0)
            o = o + self.values[2][j] * m[j]
        return o

    def error(self, sample: Sample) -> Float64:
        """Output less target in validation. Spec: RW-MODEL-006."""
        var hidden = len(self.values[1])
        var keep = List[Bool](length=hidden, fill=True)
        var active = List[Bool](length=hidden, fill=False)
        var m = List[Float64](length=hidden, fill=0.0)
        return self._output(sample.inputs, keep, 1.0, active, m) - sample.target

    def train_on(
        mut self,
        samples: List[Sample],
        batch: List[Int],
        accumulate: Int,
        mut generator: Generator,
        mut gradients: List[List[Float64]],
    ) -> Float64:
        """The loss of a batch of samples, whose gradients are added.

        Spec: RW-MODEL-003, RW-MODEL-004.
        """
        var hidden = len(self.values[1])
        var keep = List[Bool](length=hidden, fill=True)
        var active = List[Bool](length=hidden, fill=False)
        var m = List[Float64](length=hidden, fill=0.0)
        var q = 1.0 - self.dropout
        var sum = Float64(0.0)
        for number in batch:
            for j in range(hidden):
                keep[j] = generator.unit() >= self.dropout
            ref x = samples[number].inputs
            var o = self._output(x, keep, q, active, m)
            var d = o - samples[number].target
            sum = sum + d * d
            var g = (2.0 * d) / Float64(len(batch) * accumulate)
            for j in range(hidden):
                active[j] = active[j] and keep[j]
            self._add_gradients(x, g, q, active, m, gradients)
            self.seen += 1
        return sum / Float64(len(batch))

    def _add_gradients(
        self,
        x: List[Float64],
        g: Float64,
        q: Float64,
        passes: List[Bool],
        m: List[Float64],
        mut gradients: List[List[Float64]],
    ):
        """Those of one sample; `passes` is `active and keep`.

        Spec: RW-MODEL-005.
        """
        var features = len(x)
        gradients[3][0] = gradients[3][0] + g
        for j in range(len(m)):
            gradients[2][j] = gradients[2][j] + g * m[j]
            if passes[j]:
                var h = (g * self.values[2][j]) / q
                gradients[1][j] = gradients[1][j] + h
                for i in range(features):
                    var at = j * features + i
                    gradients[0][at] = gradients[0][at] + h * x[i]
