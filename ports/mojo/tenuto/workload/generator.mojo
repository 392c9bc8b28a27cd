"""The generator of the reference workload: SplitMix64 and its streams."""


struct Purpose:
    """What a stream is drawn for. Spec: RW-GEN-004."""

    comptime TRAINING_INPUTS: UInt64 = 1
    comptime VALIDATION_INPUTS: UInt64 = 2
    comptime WEIGHTS: UInt64 = 3
    comptime ORDER: UInt64 = 4
    comptime DROPOUT: UInt64 = 5


@fieldwise_init
struct Generator(Copyable):
    """One stream of draws, which is its state."""

    var state: UInt64

    def next(mut self) -> UInt64:
        """An integer. Spec: RW-GEN-001."""
        self.state += 0x9E3779B97F4A7C15
        var z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB
        return z ^ (z >> 31)

    def unit(mut self) -> Float64:
        """A number in [0, 1). Spec: RW-GEN-002."""
        comptime SCALE = 0x3CA0000000000000  # 2^-53
        var whole = (self.next() >> 11).cast[DType.float64]()
        return whole * Float64(from_bits=UInt64(SCALE))

    def below(mut self, n: UInt64) -> UInt64:
        """An integer below `n`, which is at least 1. Spec: RW-GEN-003."""
        var least = (UInt64(0) - n) % n
        while True:
            var r = self.next()
            if r >= least:
                return r % n


def _mix(x: UInt64) -> UInt64:
    var generator = Generator(x)
    return generator.next()


def stream(seed: Int, purpose: UInt64, index: Int = 0) -> Generator:
    """The generator of a purpose. Spec: RW-GEN-004."""
    return Generator(_mix(_mix(_mix(UInt64(seed)) + purpose) + UInt64(index)))
