"""Coverage-guided fuzzing of the decoder: what reached something new is kept and changed again.

Lines and the steps between them are traced for what ends in a way not seen before, and for one run of many besides:
tracing every run is many times slower, and finds less in the same time. A run is one input that the decoder reads.
"""

import re
import sys

from crash.decoding import opened, with_sizes
from tenuto.conformance_tests.oracle.make_vectors import all_vectors
from tenuto.reference.checkpoint.constants import PHASE_OF
from tenuto.reference.errors import CheckpointError

TRACED = re.compile(r"checkpoint/(reader|scan|head|table|tensors|tree|canonical)\.py$")
TRACE_ONE_IN = 64
LARGEST = 4096
TOKENS = (
    b"\xa8segments",
    b"\xadsegment_table",
    b"\xa7trailer",
    b"\xa6origin",
    b"\xa7version\xa31.0",
    b"\xc1",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\x00\x01\x00\x00",
    b"\xc7\x0b\x01\x93\xa5uint8\x91\x08\x91\x00",
    b"\xd4\x01\x90",
    b"\xd6\xff\x00\x00\x00\x00",
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x91" * 34,
    b"\xa1\x80",
)


class Fuzzer:
    """A corpus that grows.

    Args:
        chance: A generator; all that is drawn comes from it.
        fix_up: Whether sizes and digest of each input are put right, so that the checks behind them see it.

    Attributes:
        runs: How many inputs were read.
        inputs: Hashes of them: a change may undo another.
        accepted: How many of them are good files.
        foreign: Inputs that ended in anything but a refusal, with what they ended in.
    """

    def __init__(self, chance, *, fix_up):
        self.chance, self.fix_up = chance, fix_up
        self.runs = self.accepted = 0
        self.foreign, self.seen, self.steps, self.inputs = [], set(), set(), set()
        self.corpus = [vector.data for vector in all_vectors() if len(vector.data) <= LARGEST]
        for data in self.corpus:
            self._trace(data)

    def go(self, runs):
        """Reads so many inputs more."""
        for _ in range(runs):
            data = self._changed(self.chance.choice(self.corpus))
            if self.fix_up:
                data = with_sizes(data)
            ending = self._ending(data)
            self.runs += 1
            self.inputs.add(hash(data))
            if ending not in self.seen or self.chance.randrange(TRACE_ONE_IN) == 0:
                self.seen.add(ending)
                if self._trace(data):
                    self.corpus.append(data)

    def _ending(self, data):
        """Returns how reading ends, as far as it tells different ways apart: its code and the shape of its message."""
        try:
            made = opened(data)
        except CheckpointError as error:
            if PHASE_OF[error.code] != error.phase:
                self.foreign.append((bytes(data), error))
            return error.code, re.sub(r"[0-9a-f]+|'.*'", "", error.message)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            self.foreign.append((bytes(data), error))
            return type(error).__name__, ""
        self.accepted += 1
        return "", str(made.is_canonical)

    def _trace(self, data):
        """Returns whether reading the input takes a step from line to line that none has taken."""
        before, last = len(self.steps), 0

        def line(frame, event, _):
            nonlocal last
            if event == "line":
                here = id(frame.f_code), frame.f_lineno
                self.steps.add((last, here))
                last = here
            return line

        sys.settrace(lambda frame, *_: line if TRACED.search(frame.f_code.co_filename) else None)
        try:
            self._ending(data)
        finally:
            sys.settrace(None)
        return len(self.steps) > before

    # -- changes ------------------------------------------------------------------------------------------------------

    def _changed(self, data):
        made = bytearray(data)
        for _ in range(1 << self.chance.randrange(4)):
            self.chance.choice((_flip, _set, _insert, _remove, _double, _token, _number))(made, self.chance)
        if self.chance.random() < 0.1:
            other = self.chance.choice(self.corpus)
            at = self.chance.randrange(len(other) or 1)
            made[len(made) // 2 :] = other[at:]
        return bytes(made[:LARGEST])


def _at(made, chance):
    return chance.randrange(len(made) + 1)


def _flip(made, chance):
    if made:
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)


def _set(made, chance):
    if made:
        made[chance.randrange(len(made))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _insert(made, chance):
    at = _at(made, chance)
    made[at:at] = chance.randbytes(chance.choice((1, 2, 4, 8)))


def _remove(made, chance):
    at = _at(made, chance)
    del made[at : at + chance.choice((1, 2, 4, 8, 64))]


def _double(made, chance):
    start, at, size = _at(made, chance), _at(made, chance), chance.choice((1, 4, 16, 64))
    made[at:at] = made[start : start + size]


def _token(made, chance):
    at, token = _at(made, chance), chance.choice(TOKENS)
    made[at : at + chance.choice((0, len(token)))] = token


def _number(made, chance):
    """Puts an integer near the end of a form in place of some bytes, big- or little-endian."""
    at, size = _at(made, chance), chance.choice((2, 4, 8))
    value = (1 << chance.randrange(8 * size)) + chance.choice((-1, 0, 1))
    made[at : at + size] = (
        value.to_bytes(size + 1, "big")[1:] if chance.random() < 0.5 else value.to_bytes(size + 1, "little")[:-1]
    )
