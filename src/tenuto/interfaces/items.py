"""What an interface file holds: items, each with the requirement that it rests on. Values only; `load` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import field, frozen

from tenuto.interfaces.types import Range, Type

__all__ = ["Call", "Code", "Constant", "Field", "Hook", "Interface", "Interfaces", "Item", "Place", "Record", "Word"]

REQUIRED = object()  # the default of a field that has none


@frozen
class Place:
    """A line of a file below the root of the repository."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@frozen(kw_only=True)
class Item:
    """What every item has.

    Attributes:
        name: In snake_case, or the name of a record in CamelCase.
        clause: The id of the requirement that it rests on.
        text: What it is, in a few words; may be empty.
        pending: The part of the reference that is to bring it; None if the reference has it.
        place: Where it stands.
    """

    name: str
    clause: str
    text: str
    pending: str | None
    place: Place


@frozen(kw_only=True)
class Field(Item):
    """A field of a record, a setting, or an argument of a call.

    Attributes:
        type: Of its values.
        default: Plain data; `REQUIRED` if it has to be given.
        range: Which values of the type it takes.
        range_text: The same in words.
    """

    type: Type
    default: Any = REQUIRED
    range: Range = field(factory=Range)
    range_text: str = ""

    @property
    def is_required(self) -> bool:
        """Whether there is no default."""
        return self.default is REQUIRED


@frozen(kw_only=True)
class Call(Item):
    """Something that can be called.

    Attributes:
        arguments: In order.
        returns: `none` for nothing.
    """

    arguments: tuple[Field, ...] = ()
    returns: Type


@frozen(kw_only=True)
class Record(Item):
    """A value, a context or a class.

    Attributes:
        base: The record whose fields and calls it has too, or None.
        settings: What a class is made with.
        fields: What it holds or offers.
        calls: What can be asked of it.
    """

    settings: tuple[Field, ...] = ()
    fields: tuple[Field, ...] = ()
    calls: tuple[Call, ...] = ()
    base: str | None = None


@frozen(kw_only=True)
class Hook(Item):
    """A hook.

    Attributes:
        context: The record that it receives.
    """

    context: str


@frozen(kw_only=True)
class Word(Item):
    """One of the words that a key or an argument takes."""


@frozen(kw_only=True)
class Constant(Item):
    """A fixed value of the file format.

    Attributes:
        value: Plain data.
        code: The error code of what breaks it, if it is a limit.
    """

    value: Any
    code: str | None = None


@frozen(kw_only=True)
class Code(Item):
    """An error code.

    Attributes:
        phases: In which it is reported: the one of a reader first.
        fields: What the error carries beside code, phase and message.
    """

    phases: tuple[str, ...]
    fields: tuple[Field, ...] = ()


@frozen(kw_only=True)
class Interface:
    """One interface file.

    Attributes:
        name: That of the file.
        version: `major.minor`.
        path: Of the file.
        words: By the key or argument that takes them.
        constants: By group.
    """

    name: str
    version: str
    path: str
    records: tuple[Record, ...] = ()
    contexts: tuple[Record, ...] = ()
    hooks: tuple[Hook, ...] = ()
    classes: tuple[Record, ...] = ()
    words: dict[str, tuple[Word, ...]] = field(factory=dict)
    constants: dict[str, tuple[Constant, ...]] = field(factory=dict)
    errors: tuple[Code, ...] = ()

    def items(self) -> Iterator[Item]:
        """Yields every item, with those inside of others."""
        for record in (*self.records, *self.contexts, *self.classes):
            yield record
            yield from (*record.settings, *record.fields)
            for call in record.calls:
                yield call
                yield from call.arguments
        yield from self.hooks
        for group in (*self.words.values(), *self.constants.values()):
            yield from group
        for code in self.errors:
            yield code
            yield from code.fields


@frozen
class Interfaces:
    """All four, in the order `base_callback`, `checkpoint_callback`, `trainer`, `ckpt`."""

    base_callback: Interface
    checkpoint_callback: Interface
    trainer: Interface
    ckpt: Interface

    def __iter__(self) -> Iterator[Interface]:
        return iter((self.base_callback, self.checkpoint_callback, self.trainer, self.ckpt))

    def records(self) -> dict[str, Record]:
        """Returns every record, context and class by name."""
        return {
            record.name: record
            for interface in self
            for record in (*interface.records, *interface.contexts, *interface.classes)
        }

    def codes(self) -> dict[str, Code]:
        """Returns every error code, sorted."""
        return dict(sorted((code.name, code) for interface in self for code in interface.errors))
