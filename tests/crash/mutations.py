"""Damage to the bytes of a file: changed, cut off, added, moved, and mixed with another file's."""

import itertools
import random

BLOCKS = (64, 512, 4096)


def changed_bytes(data, values):
    """Yields the file with one byte changed, again and again: the same object, put right afterwards.

    Args:
        data: A good file.
        values: How many other values each byte takes: 255 for all of them.
    """
    damaged, chance = bytearray(data), random.Random(len(data))
    for at, good in enumerate(data):
        masks = range(1, 256) if values == 255 else {1, 128, *chance.sample(range(2, 128), values - 2)}
        for mask in masks:
            damaged[at] = good ^ mask
            yield damaged
        damaged[at] = good


def cut(data):
    """Yields the file cut off at every length."""
    return (data[:length] for length in range(len(data)))


def extended(data, most):
    """Yields the file with up to so many bytes added: zeros, its own end, and a second copy cut off."""
    for count in range(1, most + 1):
        yield data + bytes(count)
        yield data + (data[-40:] * (count // 40 + 1))[-count:]
        yield data + (data * (count // len(data) + 1))[:count]
    yield data + data


def moved(data):
    """Yields the file with blocks set to zero, doubled, dropped, and exchanged, wherever that changes it."""
    for size in BLOCKS:
        starts = range(0, len(data), size)
        for start in starts:
            yield data[:start] + bytes(len(data[start : start + size])) + data[start + size :]
            yield data[: start + size] + data[start:]
            yield data[:start] + data[start + size :]
        for one, other in itertools.combinations(starts, 2):
            first, second = data[one : one + size], data[other : other + size]
            yield data[:one] + second + data[one + size : other] + first + data[other + size :]


def spliced(data, other, step):
    """Yields the start of one file and the rest of another of the same length or any, at every step."""
    for at in range(1, min(len(data), len(other)), step):
        yield data[:at] + other[at:]
        yield other[:at] + data[at:]
        yield data[:at] + other[-(len(data) - at) :]


def all_but(good, damaged):
    """Leaves out what is one of the good files after all, and what came before."""
    seen = set(good)
    for data in damaged:
        if data not in seen:
            seen.add(data)
            yield data
