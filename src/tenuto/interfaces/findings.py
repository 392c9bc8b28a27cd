"""One difference between an interface file and what follows it."""

from __future__ import annotations

from typing import Final

from attrs import frozen

__all__ = ["RULES", "Finding"]

RULES: Final = {
    "interface-form": "an interface file is well formed, and its clauses stand in the prose",
    "interface-text": "the tables of the prose say the same as the interface files",
    "interface-generated": "a generated file is what `make spec` writes",
    "interface-hook": "the base callback has each hook, with its context and a default that does nothing",
    "interface-field": "a record or context of the reference has the fields and types of the interface",
    "interface-setting": "a class of the reference takes the settings, types and defaults of the interface",
    "interface-range": "a setting takes what lies just inside its range and refuses what lies just outside",
    "interface-call": "a call of the reference has the arguments, types and defaults of the interface",
    "interface-key": "the metadata that the reference writes has the keys of the interface",
    "interface-code": "the reference raises the codes of the interface, in their phases, and no other",
    "interface-pending": "what says `pending` is not in the reference yet",
}


@frozen(order=True)
class Finding:
    """One breach of one rule, on one line."""

    path: str
    line: int
    rule: str
    clause: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.clause or '-'}: {self.message}"
