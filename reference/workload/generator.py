"""The generator of the reference workload: SplitMix64, and one stream for each purpose. Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["WORD", "Generator", "Purpose", "mix", "stream"]

WORD: Final = 2**64  # all arithmetic is modulo this
_STEP: Final = 0x9E3779B97F4A7C15
_UNIT: Final = 2.0**-53


class Purpose(IntEnum):
    """What a stream is drawn for.

    Spec: RW-GEN-004.
    """

    TRAINING_INPUTS = 1
    VALIDATION_INPUTS = 2
    WEIGHTS = 3
    ORDER = 4
    DROPOUT = 5


def mix(x: int) -> int:
    """Returns what `next` returns for the state `x`, an integer of 0 to 2^64 - 1.

    Spec: RW-GEN-001, RW-GEN-004.
    """
    z = (x + _STEP) % WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


class Generator:
    """Draws integers and fractions.

    Attributes:
        state: An integer of 0 to 2^64 - 1, all that there is to save.
    """

    def __init__(self, state: int) -> None:
        self.state = state

    def next(self) -> int:
        """Draws an integer of 0 to 2^64 - 1.

        Spec: RW-GEN-001.
        """
        drawn = mix(self.state)
        self.state = (self.state + _STEP) % WORD
        return drawn

    def unit(self) -> float:
        """Draws a number of 0.0 to below 1.0.

        Spec: RW-GEN-002.
        """
        return float(self.next() >> 11) * _UNIT

    def below(self, n: int) -> int:
        """Draws an integer of 0 to below `n`, each as likely as any other; `n` is at least 1.

        Spec: RW-GEN-003.
        """
        least = (WORD - n) % n
        while (drawn := self.next()) < least:
            pass
        return drawn % n


def stream(seed: int, purpose: Purpose, index: int = 0) -> Generator:
    """Returns the generator of a purpose.

    Args:
        seed: The setting.
        purpose: What is drawn.
        index: For an order, the number of completed epochs.

    Spec: RW-GEN-004.
    """
    return Generator(mix((mix((mix(seed) + purpose) % WORD) + index) % WORD))
