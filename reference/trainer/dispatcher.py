"""Calls the hooks of the callbacks, in two phases. Knows nothing of training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import ConfigError
from tenuto.reference.events.contexts import Context
from tenuto.reference.events.hooks import Hook
from tenuto.reference.events.listener import Listener

__all__ = ["Dispatcher"]

_Method = Callable[[Context], None]


class Dispatcher:
    """The callbacks of one trainer.

    Args:
        listeners: In the order of registration.

    Raises:
        ConfigError: `duplicate_state_key` or `several_checkpoint_callbacks`.

    Spec: CB-ORDER-001, CB-ORDER-004 to CB-ORDER-006, CB-STATE-002.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        # The sort is stable: within a phase the order of registration stays. Who saves is the last of all.
        ordered = sorted(listeners, key=lambda one: (one.phase != "observe", one.checkpoint_folder is not None))
        self.listeners: tuple[Listener, ...] = tuple(ordered)
        self._methods: dict[Hook, tuple[_Method, ...]] = {
            hook: tuple(getattr(listener, hook.value) for listener in ordered if listener.handles(hook))
            for hook in Hook
        }
        saving = [listener.state_key for listener in ordered if listener.checkpoint_folder is not None]
        if len(saving) > 1:
            message = f"callbacks that save checkpoints: {', '.join(saving)}; expected at most one"
            raise ConfigError("several_checkpoint_callbacks", message)
        self.capture()  # two equal keys are better refused now than at the first save

    def has(self, hook: Hook) -> bool:
        """Returns whether anything is called at a hook."""
        return bool(self._methods[hook])

    @property
    def folder(self) -> str | None:
        """Where checkpoints are saved, if a callback saves any."""
        folders = (listener.checkpoint_folder for listener in self.listeners)
        return next((folder for folder in folders if folder is not None), None)

    def unmatched(self, saved: Mapping[str, Tree]) -> tuple[str, ...]:
        """Returns which saved states have no callback, and which callbacks no saved state."""
        live = self.capture().keys()
        lost = [f"callback_state.{key}: in the file, but no callback has this key" for key in saved if key not in live]
        return (*lost, *(f"callback {key}: has no state in the file" for key in live if key not in saved))

    def dispatch(self, hook: Hook, context: Context) -> None:
        """Calls the hook of every callback; an exception ends the round.

        Spec: CB-FAIL-001.
        """
        for method in self._methods[hook]:
            method(context)

    def dispatch_to_all(self, hook: Hook, context: Context) -> list[BaseException]:
        """Calls the hook of every callback whatever happens, and returns what they raised.

        Spec: CB-FAIL-002, CB-FAIL-003.
        """
        errors: list[BaseException] = []
        for method in self._methods[hook]:
            try:
                method(context)
            except BaseException as error:  # noqa: BLE001 - the contract: every callback is called, every error reported
                errors.append(error)
        return errors

    def capture(self) -> dict[str, Tree]:
        """Returns the states of the callbacks by their keys.

        Spec: CB-STATE-001, CB-STATE-002.
        """
        states = [(listener.state_key, listener.state_dict()) for listener in self.listeners]
        used = Counter(key for key, state in states if state)
        for key, count in used.items():
            if count > 1:
                raise ConfigError(
                    "duplicate_state_key", f"state_key {key!r}: used by {count} callbacks; expected one each"
                )
        return {key: state for key, state in states if state}

    def restore(self, states: dict[str, Tree], refused: list[str] | None = None) -> Callable[[], None]:
        """Hands each callback its saved state.

        Args:
            states: By state key.
            refused: Gets each state that its callback refuses, which keeps its former one; None to end with the error.

        Returns:
            A function that gives every callback that has received a state its former one back.

        Spec: CB-STATE-003, CB-STATE-007, TR-REST-002, TR-REST-009.
        """
        former = [(listener, deepcopy(listener.state_dict())) for listener in self.listeners]
        received: list[tuple[Listener, dict[str, Tree]]] = []

        def undo() -> None:
            for listener, state in received:
                with suppress(Exception):  # what has failed first is told, and the others get theirs
                    listener.load_state_dict(state)

        try:
            for listener, before in former:
                state = states.get(listener.state_key)
                if isinstance(state, dict):
                    received.append((listener, before))
                    _hand_over(listener, state, before, refused)
        except BaseException:
            undo()
            raise
        return undo


def _hand_over(listener: Listener, state: dict[str, Tree], before: dict[str, Tree], refused: list[str] | None) -> None:
    try:
        listener.load_state_dict(deepcopy(state))  # the document stays the caller's
    except Exception as error:
        if refused is None:
            raise
        listener.load_state_dict(deepcopy(before))
        refused.append(f"callback_state.{listener.state_key}: {error}")
