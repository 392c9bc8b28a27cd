"""The generator and its streams.

Spec: RW-GEN-001, RW-GEN-002, RW-GEN-003, RW-GEN-004.
"""

from attrs import define

WORD = 1 << 64
TRAINING_INPUTS, VALIDATION_INPUTS, INITIAL_WEIGHTS, EPOCH_ORDER, DROPOUT = 1, 2, 3, 4, 5


@define
class Generator:
    """A generator with its state, an unsigned 64-bit integer."""

    state: int

    def next(self) -> int:
        """The next integer, in [0, 2^64).

        Spec: RW-GEN-001.
        """
        self.state = (self.state + 0x9E3779B97F4A7C15) % WORD
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
        return z ^ (z >> 31)

    def unit(self) -> float:
        """The next number, in [0, 1).

        Spec: RW-GEN-002.
        """
        return float(self.next() >> 11) * 2.0**-53

    def below(self, n: int) -> int:
        """The next integer in [0, n); draws until it accepts.

        Spec: RW-GEN-003.
        """
        least = (WORD - n) % n
        r = self.next()
        while r < least:
            r = self.next()
        return r % n

    def symmetric(self) -> float:
        """The next number in [-1, 1), as inputs and initial weights are drawn.

        Spec: RW-DATA-001, RW-MODEL-001.
        """
        return 2.0 * self.unit() - 1.0


def mix(x: int) -> int:
    """What `next` returns for the state `x`.

    Spec: RW-GEN-004.
    """
    return Generator(x % WORD).next()


def stream_state(seed: int, purpose: int, index: int) -> int:
    """The state from which a stream starts.

    Spec: RW-GEN-004.
    """
    return mix(mix(mix(seed) + purpose) + index)


def stream(seed: int, purpose: int, index: int) -> Generator:
    """The generator of one purpose; no two purposes draw from the same one.

    Spec: RW-GEN-004.
    """
    return Generator(stream_state(seed, purpose, index))
