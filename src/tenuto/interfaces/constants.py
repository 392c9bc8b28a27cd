"""Writes the Python constants of the reference: codes, the numbers and names of the format, hooks, reasons.

Every line knows the clause that it rests on, so that a line changed by hand is reported with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import frozen

from tenuto.interfaces.items import Constant, Interfaces, Item

__all__ = ["Line", "constant_files"]


@frozen
class Line:
    """A line of a generated file, and the clause that it rests on; empty for a line that says nothing by itself."""

    text: str
    clause: str = ""


_IMPORTS: Final = "from __future__ import annotations\n\n"


def constant_files(interfaces: Interfaces) -> dict[str, list[Line]]:
    """Returns the lines of every generated module of the reference, by path."""
    return {
        "reference/codes.py": [*_codes(interfaces)],
        "reference/checkpoint/constants.py": [*_format(interfaces)],
        "reference/events/hooks.py": [*_hooks(interfaces)],
        "reference/trainer/reasons.py": [*_reasons(interfaces)],
    }


def _lines(text: str) -> Iterator[Line]:
    yield from map(Line, text.split("\n"))


def _head(source: str, docstring: str, imports: str, *names: str) -> Iterator[Line]:
    exported = f"\n\n__all__ = [{', '.join(map(_text, sorted(names)))}]\n" if names else "\n"
    yield from _lines(
        f'# generated from spec/v1/interfaces/{source}.yaml by `make spec`; do not edit\n"""{docstring}"""\n\n'
        f"{_IMPORTS}{imports}{exported}"
    )


def _text(value: str) -> str:
    return f'"{value}"'


def _entries(items: Iterable[tuple[Item, str]], opening: str, closing: str) -> Iterator[Line]:
    """Yields a dict or tuple with one entry a line, and its clauses: one for all, or one for each."""
    pairs = [*items]
    clauses = {item.clause for item, _ in pairs}
    shared = clauses.pop() if len(clauses) == 1 else ""
    yield Line(f"{opening}  # {shared}" if shared else opening, shared)
    yield from (
        Line(f"    {text}," + (f"  # {item.clause}" if not shared else ""), item.clause) for item, text in pairs
    )
    yield Line(closing)


def _codes(interfaces: Interfaces) -> Iterator[Line]:
    docstring = (
        "The error codes of the specification, with the phases in which each is reported.\n\nSpec: ERR-CODE-001.\n"
    )
    yield from _head("*", docstring, "from typing import Final", "PHASES_OF")
    codes = interfaces.codes().values()
    phases = {code.name: ", ".join(map(_text, code.phases)) + "," * (len(code.phases) == 1) for code in codes}
    entries = ((code, f"{_text(code.name)}: ({phases[code.name]})") for code in codes)
    yield from _entries(entries, "PHASES_OF: Final[dict[str, tuple[str, ...]]] = {", "}")


def _format(interfaces: Interfaces) -> Iterator[Line]:
    ckpt = interfaces.ckpt
    docstring = "The fixed numbers and names of the file format.\n\nSpec: CKPT-FILE-002, CKPT-LIM-001, CKPT-VAL-004.\n"
    imports = "import struct\nfrom typing import Final\n\nfrom tenuto.reference.codes import PHASES_OF"
    yield from _head("ckpt", docstring, imports)
    for constant in ckpt.constants["layout"]:
        yield from _layout(constant)
    features = ", ".join(_text(feature.name) for feature in ckpt.constants["features"])
    yield Line(f"FEATURES: Final = frozenset({{{features}}})", "CKPT-FILE-009")
    yield Line("")
    head = ((key, f"{_text(key.name)}: {_text(key.value)}") for key in ckpt.constants["head_keys"])
    yield from _entries(head, "HEAD_KEYS: Final = {", "}")
    tail = ", ".join(_text(key.name) for key in ckpt.constants["tail_keys"])
    yield Line(f"TAIL_KEYS: Final = ({tail})", "CKPT-FILE-003")
    yield Line("")
    for limit in ckpt.constants["limits"]:
        yield _constant(limit, limit.value)
    yield Line("")
    dtypes = ((dtype, f"{_text(dtype.name)}: {dtype.value}") for dtype in ckpt.constants["dtypes"])
    yield from _entries(dtypes, "DTYPES: Final = {", "}")
    yield Line("")
    yield Line("# The phase of a code unless a writer says `encode`.")
    yield Line("PHASE_OF: Final = {code: phases[0] for code, phases in PHASES_OF.items()}", "CKPT-READ-005")


def _layout(constant: Constant) -> Iterator[Line]:
    if constant.name == "format_version":
        yield _constant(constant, _text(constant.value))
        yield Line(f"FORMAT_MAJOR: Final = {constant.value.partition('.')[0]}", constant.clause)
    elif constant.name == "magic":
        yield _constant(constant, repr(bytes.fromhex(constant.value)).replace("'", '"'))
    elif constant.name == "canonical_nan":
        value = f'struct.unpack(">d", bytes.fromhex({_text(constant.value)}))[0]'
        yield Line(f"CANONICAL_NAN: Final[float] = {value}  # {constant.clause}", constant.clause)
    else:
        yield _constant(constant, constant.value)


def _constant(constant: Constant, value: Any) -> Line:  # noqa: ANN401 - a number or the text of an expression
    return Line(f"{constant.name.upper()}: Final = {value}  # {constant.clause}", constant.clause)


def _hooks(interfaces: Interfaces) -> Iterator[Line]:
    docstring = "The hooks of the contract: the only list of their names."
    yield from _head("base_callback", docstring, "from enum import StrEnum", "Hook")
    told = "A hook; the value is the name of the method.\n\n    Spec: CB-HOOK-001."
    yield from _lines(f'\nclass Hook(StrEnum):\n    """{told}\n    """\n')
    for hook in interfaces.base_callback.hooks:
        if hook.pending is None:
            name = hook.name.removeprefix("on_").upper()
            yield Line(f"    {name} = {_text(hook.name)}  # {hook.clause}", hook.clause)


def _reasons(interfaces: Interfaces) -> Iterator[Line]:
    docstring = "Why a checkpoint is saved, in the order in which a file lists it.\n\nSpec: TR-STATE-004.\n"
    yield from _head("trainer", docstring, "from typing import Final", "REASONS")
    reasons = interfaces.trainer.words["reasons"]
    yield from _entries(((reason, _text(reason.name)) for reason in reasons), "REASONS: Final = (", ")")
