"""What a rule finds."""

from __future__ import annotations

from attrs import frozen

from tenuto.conformance_tests.prose import Place

__all__ = ["Breach", "at"]


@frozen(order=True)
class Breach:
    """One breach of one rule."""

    path: str
    line: int
    rule: str
    id: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.id or '-'}: {self.message}"


def at(place: Place, rule: str, identity: str, message: str) -> Breach:
    """Returns a breach at a place; `identity` is the id that it is about, empty if there is none."""
    return Breach(place.path, place.line, rule, identity, message)
