"""A small network for handwritten digits, its gradients and its updates: plain
Mojo that knows nothing of tenuto but its generator.
"""
from std.ffi import external_call
from std.math import sqrt
from tenuto import Generator

comptime PIXELS = 64
comptime HIDDEN = 32
comptime DIGITS = 10
comptime PARAMETERS = 4
comptime DROPOUT = 0.2
comptime MOMENTUM = 0.9


def parameter_name(p: Int) -> StaticString:
    """As torch names it in Sequential(Linear, ReLU, Dropout, Linear)."""
    if p == 0:
        return "0.weight"
    if p == 1:
        return "0.bias"
    return "3.weight" if p == 2 else "3.bias"


def parameter_shape(p: Int) -> List[UInt64]:
    """Rows are outputs, as in torch."""
    if p == 0:
        return [UInt64(HIDDEN), UInt64(PIXELS)]
    if p == 1:
        return [UInt64(HIDDEN)]
    if p == 2:
        return [UInt64(DIGITS), UInt64(HIDDEN)]
    return [UInt64(DIGITS)]


def parameter_size(p: Int) -> Int:
    """The number of elements."""
    var size = 1
    for n in parameter_shape(p):
        size *= Int(n)
    return size


def zeros() -> List[List[Float64]]:
    """Something for each weight, 0.0 everywhere."""
    var made = List[List[Float64]]()
    for p in range(PARAMETERS):
        made.append(List[Float64](length=parameter_size(p), fill=0.0))
    return made^


@fieldwise_init
struct Digits(Movable):
    """Images [n, 64] with pixels in [0, 1], one behind another, and their
    digits.
    """

    var pixels: List[Float64]
    var labels: List[Int]


@fieldwise_init
struct Measured(ImplicitlyCopyable):
    """Sums over samples."""

    var loss: Float64
    var right: Int


struct Network(Movable):
    """Weights and velocities of the four parameters."""

    var weights: List[List[Float64]]
    var velocities: List[List[Float64]]
    var _gradients: List[List[Float64]]
    var _active: List[Float64]  # of the sample in hand, behind the dropout
    var _chances: List[Float64]

    def __init__(out self, mut generator: Generator):
        self.weights = zeros()
        self.velocities = zeros()
        self._gradients = zeros()
        self._active = List[Float64](length=HIDDEN, fill=0.0)
        self._chances = List[Float64](length=DIGITS, fill=0.0)
        for p in range(PARAMETERS):
            var bound = 1.0 / sqrt(Float64(PIXELS if p < 2 else HIDDEN))
            for ref w in self.weights[p]:
                w = (2.0 * generator.unit() - 1.0) * bound

    def logits(self, data: Digits, i: Int) -> List[Float64]:
        """What the network says of an image."""
        var hidden = List[Float64](length=HIDDEN, fill=0.0)
        for j in range(HIDDEN):
            hidden[j] = max(self._input_of(data, i, j), 0.0)
        return self._outputs(hidden)

    def _input_of(self, data: Digits, i: Int, j: Int) -> Float64:
        """What comes to unit `j` from an image."""
        var z = self.weights[1][j]
        for k in range(PIXELS):
            z += self.weights[0][j * PIXELS + k] * data.pixels[i * PIXELS + k]
        return z

    def _outputs(self, hidden: List[Float64]) -> List[Float64]:
        var found = self.weights[3].copy()
        for d in range(DIGITS):
            for j in range(HIDDEN):
                found[d] += self.weights[2][d * HIDDEN + j] * hidden[j]
        return found^

    def measure(self, data: Digits, i: Int) -> Measured:
        """Loss of an image, and whether its digit is found."""
        var chances = self.logits(data, i)
        return _softmax(chances, data.labels[i])

    def train_on(
        mut self,
        data: Digits,
        batch: List[Int],
        mut generator: Generator,
        rate: Float64,
    ) -> Measured:
        """One update: momentum on the mean gradient of a batch."""
        self._gradients = zeros()
        var sum = Measured(0.0, 0)
        for i in batch:
            var one = self._add_gradients(data, i, generator)
            sum = Measured(sum.loss + one.loss, sum.right + one.right)
        for p in range(PARAMETERS):
            for k in range(len(self.weights[p])):
                var v = MOMENTUM * self.velocities[p][k] + (
                    self._gradients[p][k] / Float64(len(batch))
                )
                self.velocities[p][k] = v
                self.weights[p][k] -= rate * v
        return sum

    def _add_gradients(
        mut self, data: Digits, i: Int, mut generator: Generator
    ) -> Measured:
        """Those of one image; some hidden units are left out by chance."""
        for j in range(HIDDEN):
            var z = self._input_of(data, i, j)
            var is_kept = generator.unit() >= DROPOUT
            self._active[j] = (
                z / (1.0 - DROPOUT) if is_kept and z > 0.0 else 0.0
            )
        self._chances = self._outputs(self._active)
        var measured = _softmax(self._chances, data.labels[i])
        for d in range(DIGITS):
            var hit = 1.0 if d == data.labels[i] else 0.0
            self._chances[d] -= hit
            self._gradients[3][d] += self._chances[d]
            for j in range(HIDDEN):
                self._gradients[2][d * HIDDEN + j] += (
                    self._chances[d] * self._active[j]
                )
        for j in range(HIDDEN):
            if self._active[j] > 0.0:
                self._add_hidden(data, i, j)
        return measured

    def _add_hidden(mut self, data: Digits, i: Int, j: Int):
        """The gradients of the weights of one hidden unit."""
        var g = Float64(0.0)
        for d in range(DIGITS):
            g += self._chances[d] * self.weights[2][d * HIDDEN + j]
        g /= 1.0 - DROPOUT
        self._gradients[1][j] += g
        for k in range(PIXELS):
            self._gradients[0][j * PIXELS + k] += (
                g * data.pixels[i * PIXELS + k]
            )


def best_of(logits: List[Float64]) -> Int:
    """The digit that is said."""
    var best = 0
    for d in range(1, DIGITS):
        if logits[d] > logits[best]:
            best = d
    return best


def _softmax(mut logits: List[Float64], label: Int) -> Measured:
    """Turn logits into chances; the loss, and whether the digit is found.

    `exp` and `log` are those of the C library: those of Mojo are less exact.
    """
    var best = best_of(logits)
    var most = logits[best]
    var sum = Float64(0.0)
    for ref one in logits:
        one = external_call["exp", Float64](one - most)
        sum += one
    for ref one in logits:
        one /= sum
    var loss = -external_call["log", Float64](logits[label])
    return Measured(loss, 1 if best == label else 0)
