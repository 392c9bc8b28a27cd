"""The global random generators of Python, NumPy and torch: copied cheaply, saved as trees, restored."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from attrs import frozen

from tenuto.reference.checkpoint.tree import Tree

__all__ = ["Generators", "fit_generators", "isolated_generators", "seed_all"]

_NAMES = ("python", "numpy", "torch", "cuda")
_MT19937_WORDS = 624


@frozen
class Generators:
    """The states of all global generators, copied.

    Spec: TR-STATE-001.
    """

    python_state: tuple[Any, ...]
    numpy_state: dict[str, Any]
    torch_state: torch.Tensor
    cuda_states: tuple[torch.Tensor, ...]

    @classmethod
    def copy(cls) -> Generators:
        """Copies the states as they are now. Takes tens of microseconds."""
        cuda = tuple(torch.cuda.get_rng_state_all()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
        numpy_state: Any = np.random.get_state(legacy=False)
        return cls(random.getstate(), numpy_state, torch.get_rng_state(), cuda)

    @classmethod
    def seeded(cls, seed: int, devices: int) -> Generators:
        """Returns states as after seeding, without touching the generators.

        Args:
            seed: In [0, 2^64).
            devices: How many CUDA devices there are.
        """
        numpy_state: Any = np.random.RandomState(seed & 0xFFFFFFFF).get_state(legacy=False)
        kinds = ("cpu", *(f"cuda:{index}" for index in range(devices)))
        own = [torch.Generator(device=kind).manual_seed((seed + at) % 2**63) for at, kind in enumerate(kinds)]
        states = [generator.get_state() for generator in own]
        return cls(random.Random(seed).getstate(), numpy_state, states[0], tuple(states[1:]))  # noqa: S311 - no secret

    def restore(self) -> None:
        """Sets all global generators."""
        random.setstate(self.python_state)
        np.random.set_state(self.numpy_state)
        torch.set_rng_state(self.torch_state)
        if self.cuda_states:
            torch.cuda.set_rng_state_all(list(self.cuda_states))

    def to_tree(self) -> dict[str, Tree]:
        """Returns the states as `rng_state`; wide integers are little-endian bytes."""
        version, words, gauss = self.python_state
        inner = self.numpy_state["state"]
        return {
            "python": {"version": version, "words": np.array(words, "<u4").tobytes(), "gauss_next": gauss},
            "numpy": {
                "bit_generator": self.numpy_state["bit_generator"],
                "key": inner["key"].astype("<u4").tobytes(),
                "pos": int(inner["pos"]),
                "has_gauss": int(self.numpy_state["has_gauss"]),
                "gauss": float(self.numpy_state["gauss"]),
            },
            "torch": self.torch_state.numpy().tobytes(),
            "cuda": [state.numpy().tobytes() for state in self.cuda_states],
        }

    @classmethod
    def from_tree(cls, tree: dict[str, Any]) -> Generators:
        """Reads what `to_tree` made."""
        python, numpy_tree = tree["python"], tree["numpy"]
        words = tuple(int(word) for word in np.frombuffer(python["words"], "<u4"))
        inner = {"key": np.frombuffer(numpy_tree["key"], "<u4").astype(np.uint32), "pos": numpy_tree["pos"]}
        return cls(
            (python["version"], words, python["gauss_next"]),
            {
                "bit_generator": numpy_tree["bit_generator"],
                "state": inner,
                "has_gauss": numpy_tree["has_gauss"],
                "gauss": numpy_tree["gauss"],
            },
            _torch_state(tree["torch"]),
            tuple(_torch_state(state) for state in tree["cuda"]),
        )

    @classmethod
    def mismatches(cls, tree: dict[str, Any]) -> list[str]:
        """Returns which generators a state, fitted to those that live, has in a form that cannot be restored.

        Spec: TR-REST-001.
        """
        return [f"rng_state.{name}: {rest}" for name in _NAMES for rest in _faults(name, tree)]


def _torch_state(data: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _faults(name: str, tree: dict[str, Any]) -> Iterator[str]:
    """Tries a saved state on generators of its own."""
    scratch = Generators.copy().to_tree()
    try:
        made = Generators.from_tree({**scratch, name: tree[name]})
        if name == "python":
            random.Random().setstate(made.python_state)  # noqa: S311 - nothing is drawn from it
        elif name == "numpy":
            inner = made.numpy_state["state"]
            np.random.RandomState().set_state(made.numpy_state)
            if len(inner["key"]) != _MT19937_WORDS or not 0 <= inner["pos"] <= _MT19937_WORDS:  # numpy trusts it
                yield f"{len(inner['key'])} words at {inner['pos']}; expected {_MT19937_WORDS}"
        elif name == "torch":
            torch.Generator().set_state(made.torch_state)
        else:
            _try_on_devices(made.cuda_states)
    except (AttributeError, IndexError, KeyError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        yield f"cannot be restored ({type(error).__name__}: {error})"


def _try_on_devices(states: tuple[torch.Tensor, ...]) -> None:
    for index, state in enumerate(states):
        torch.Generator(device=f"cuda:{index}").set_state(state)


def fit_generators(tree: dict[str, Any], seed: int) -> tuple[dict[str, Any], list[str]]:
    """Fits a saved state to the generators that live here.

    Args:
        tree: Of a file. Borrowed.
        seed: For generators that it has no state for.

    Returns:
        A state of every live generator, and each in which it is not the saved one, with its path.

    Spec: TR-REST-012.
    """
    saved = tree.get("cuda")
    # Asked only where it matters: the answer starts the driver.
    is_in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = torch.cuda.device_count() if saved or is_in_use else 0
    fresh = Generators.seeded(seed, devices).to_tree()
    reasons = [f"rng_state.{name}: in this trainer, not in the file" for name in fresh if name not in tree]
    reasons += [f"rng_state.{name}: in the file, not in this trainer" for name in tree if name not in fresh]
    whole: dict[str, Any] = {name: tree.get(name, state) for name, state in fresh.items()}
    if isinstance(saved, list) and len(saved) != devices:
        reasons.append(f"rng_state.cuda: {len(saved)} devices in the file, {devices} here")
        anew: Any = fresh["cuda"]
        whole["cuda"] = [*saved[:devices], *anew[len(saved) :]]
    return whole, reasons


def seed_all(seed: int) -> None:
    """Seeds the global generators of Python, NumPy and torch.

    Args:
        seed: In [0, 2^63).
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextmanager
def isolated_generators() -> Iterator[None]:
    """Gives the generators back as they were, whatever is drawn inside.

    Spec: TR-LOOP-003.
    """
    before = Generators.copy()
    try:
        yield
    finally:
        before.restore()
