"""The YAML of a trace, taken apart; a key that nobody reads is an error, for it would check nothing.

Spec: section 1.1 of 10-callbacks.md.
"""

from __future__ import annotations

import yaml
from attrs import frozen

from spec_examples.source import BadExampleError

_TRACE = {"attempts", "undisturbed"}
_ATTEMPT = {"given", "resume", "then", "log", "outcome", "files", "saved", "deleted", "best"}
_STATED = ("log", "outcome", "files", "saved", "deleted", "best")
_GIVEN = {"workload", "max_epochs", "metrics", "callbacks"}
_CALM = {"name", "phase", "checkpoint"}  # the keys of a callback that disturbs nothing
_AT = {"hook", "call"}
_THEN = {"save", "metrics"}
_DO = {"stop": "reason", "raise": "code", "signal": "signal"}
_UNDISTURBED = {"log", "state"}


@frozen
class Attempt:
    """One call of `fit`.

    Attributes:
        given: Workload, number of epochs, scripted metrics and callbacks.
        resume: The argument of `fit`.
        then: A manual save after it, or nothing.
        stated: What has to come out, by key.
    """

    given: dict
    resume: str
    then: dict
    stated: dict

    def undisturbed(self):
        """Returns the attempt from the start, with callbacks that only look on."""
        calm = [{key: one[key] for key in one if key in _CALM} for one in self.given["callbacks"]]
        return Attempt({**self.given, "callbacks": calm}, "never", {}, {})


@frozen
class Trace:
    """The attempts of one run.

    Attributes:
        undisturbed: What of them has to be as in one attempt that nothing disturbs: `log`, `state`, both or neither.
    """

    attempts: tuple[Attempt, ...]
    undisturbed: tuple[str, ...]


def parse_trace(lines) -> Trace:
    """Returns the trace of a block."""
    whole = yaml.safe_load("\n".join(lines))
    maps = whole.get("attempts", [whole])
    _known("trace", whole, _TRACE if "attempts" in whole else _ATTEMPT)
    shared = {}
    attempts = []
    for one in maps:
        _known("attempt", one, _ATTEMPT, {"outcome"})
        shared = {**shared, **one.get("given", {})}
        _check_given(shared)
        _known("then", one.get("then", {}), _THEN)
        stated = {key: one[key] for key in _STATED if key in one}
        if "log" in stated:
            stated["log"] = stated["log"].splitlines()
        attempts.append(Attempt(shared, one.get("resume", "never"), one.get("then", {}), stated))
    undisturbed = whole.get("undisturbed", [])
    _known("undisturbed", dict.fromkeys(undisturbed), _UNDISTURBED)
    return Trace(tuple(attempts), tuple(undisturbed))


def _check_given(given):
    _known("given", given, _GIVEN, {"max_epochs", "callbacks"})
    for callback in given["callbacks"]:
        action = callback.get("do")
        if action is None:
            _known("callback", callback, _CALM, {"name"})
        else:
            _known("callback", callback, {"name", "phase", "at", "do", _DO[action]}, {"name", "at", _DO[action]})
            _known("at", callback["at"], _AT, _AT)


def _known(what, given, names, required=frozenset()):
    if given.keys() - names or required - given.keys():
        raise BadExampleError(f"{what} with {', '.join(given)}; expected {', '.join(sorted(names))}")
