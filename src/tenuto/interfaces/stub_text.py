"""What the stubs of all languages write alike: literals with double quotes, and docstrings of one line."""

from __future__ import annotations

from tenuto.interfaces.items import Call, Code, Item

__all__ = ["clauses", "literal", "told"]


def literal(value: object) -> str:
    """Returns a literal, with double quotes."""
    return repr(value).replace("'", '"')


def clauses(item: Item) -> str:
    """Returns the clause of an item, with those of the arguments of a call and of the fields of an error."""
    match item:
        case Call():
            inside = item.arguments
        case Code():
            inside = item.fields
        case _:
            inside = ()
    return ", ".join(dict.fromkeys(one.clause for one in (item, *inside)))


def told(item: Item) -> str:
    """Returns a docstring of one line: what an item is, and its clauses."""
    text = f"{item.text[:1].upper()}{item.text[1:]}. " if item.text else ""
    return f'"""{text}Spec: {clauses(item)}."""'
