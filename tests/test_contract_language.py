"""What the contract asks of the types and calls of a language, which no conformance case sees."""

from __future__ import annotations

import pytest
from attrs import fields
from recorder import Recorder, heads, saving, small

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.errors import TenutoError
from tenuto.reference.events.hooks import Hook


class Counting(BaseCallback):
    """Has a number for its state."""

    def __init__(self):
        self.number = 0

    def state_dict(self):
        return {"number": self.number}

    def load_state_dict(self, state):
        self.number = state["number"]


class Holding(BaseCallback):
    """Has whatever it is given for its state."""

    def __init__(self, value):
        self.value = value

    def state_dict(self):
        return {"kept": [self.value]}


class Refusing(BaseCallback):
    """Takes so many states, and no more."""

    def __init__(self, taken):
        self.taken = taken

    def state_dict(self):
        return {"any": True}

    def load_state_dict(self, state):
        self.taken -= 1
        if self.taken < 0:
            raise ValueError(type(self).__name__)


class Refusing2(Refusing):
    """Another one, with a state of its own."""


@pytest.mark.req("GEN-VER-003")
def test_a_callback_for_a_hook_that_is_not_there_takes_part():
    class Newer(Recorder):
        def on_something_new(self, context):
            raise AssertionError("no trainer of this version calls it")

    newer, recorder = Newer(), Recorder()
    small(newer, recorder).fit()
    assert newer.log == recorder.log


@pytest.mark.req("CB-HOOK-014")
def test_every_field_of_a_context_holds_through_its_hook(tmp_path):
    """An observer in front and one behind see the same, though a save is made between two of the hooks."""
    seen = {"first": [], "last": []}

    def reading(where):
        def read(context):
            held = {one.name: getattr(context, one.name) for one in fields(type(context)) if one.name[0] != "_"}
            seen[where].append({name: dict(value) if name == "metrics" else value for name, value in held.items()})

        return {hook.value: read for hook in Hook}

    small(Recorder(**reading("first")), saving(tmp_path), Recorder(**reading("last"))).fit()
    assert len(seen["first"]) > len(Hook)
    for first, last in zip(seen["first"], seen["last"], strict=True):
        assert first.keys() == last.keys()
        assert first["progress"] == last["progress"]
        assert first["metrics"] == last["metrics"]


@pytest.mark.req("CB-STATE-004")
def test_a_state_without_a_key_of_its_own_is_saved_under_the_name_of_the_class(tmp_path):
    class Outer:
        class Inner(Counting):
            """In a namespace, which is no part of the key."""

    small(Outer.Inner(), saving(tmp_path)).fit()
    assert heads(tmp_path)["checkpoint_epoch_0002.ckpt"]["callback_state"]["Inner"] == {"number": 0}


@pytest.mark.req("CB-STATE-006")
@pytest.mark.parametrize(("value", "code"), [(object(), "unserializable_value"), ({1: 2}, "key_not_string")])
def test_a_state_that_is_no_tree_fails_the_save(tmp_path, value, code):
    saver = saving(tmp_path)
    trainer = small(Holding(value), saver, max_epochs=1)
    with pytest.raises(TenutoError, match=r"callback_state.Holding.kept\[0\]") as caught:
        saver.save_checkpoint(trainer)
    assert (caught.value.code, caught.value.phase) == (code, "encode")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.req("CB-STATE-007")
def test_a_failed_restore_gives_every_callback_its_former_state_back(tmp_path):
    small(Refusing(0), Counting(), Refusing2(0), saving(tmp_path)).fit()
    counting = Counting()
    counting.number = 7
    given = []
    load = counting.load_state_dict
    counting.load_state_dict = lambda state: (given.append(state["number"]), load(state))
    with pytest.raises(ValueError, match="Refusing2"):
        small(Refusing(1), counting, Refusing2(0)).fit(tmp_path / "latest.ckpt")
    assert (counting.number, given) == (7, [0, 7])
