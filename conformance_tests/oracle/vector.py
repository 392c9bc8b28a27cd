"""One vector: the bytes of a file, and what a reader is to make of them.

Spec: CONF-VERDICT-001, and section 7 of 90-conformance.md.
"""

import json
import re

from attrs import frozen

from tenuto.conformance_tests.oracle import document as tagged
from tenuto.conformance_tests.oracle.codes import READ_PHASES
from tenuto.conformance_tests.oracle.encoder import Encoder
from tenuto.conformance_tests.oracle.frame import Frame, file
from tenuto.conformance_tests.oracle.tree import Document

FOLDERS = {"V": "valid", "N": "noncanonical", "I": "invalid"}
_PLAIN = re.compile(r"[a-z0-9][A-Za-z0-9 ,;.()/_+-]*[A-Za-z0-9)]")


@frozen
class Vector:
    """A file with its expectation.

    Attributes:
        id: never renumbered and never used again for another file.
        title: what is special about the file, for a person.
        req: the requirements that the file shows.
        data: the bytes of the file.
        document: what a reader decodes; None if the file is to be refused.
        twin: for a non-canonical file the id of the canonical file of the same document.
        code: the error of a refusal.
        profile: the one in which it is scored, where that is an extension.
        needs: capabilities of the ports for which it is scored.
        lacks: capabilities of the ports for which it is not.
    """

    id: str
    title: str
    req: tuple[str, ...]
    data: bytes
    document: Document | None = None
    twin: str | None = None
    code: str | None = None
    profile: str | None = None
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The folder of the vector below `ckpt/`."""
        return FOLDERS[self.id.split("-")[1]]

    def sidecar(self) -> str:
        """The text of the YAML file beside the vector."""
        title = self.title if _PLAIN.fullmatch(self.title) else json.dumps(self.title, ensure_ascii=True)
        lines = [f"id: {self.id}", f"title: {title}", f"req: [{', '.join(self.req)}]"]
        if self.code is not None:
            lines.append(f"expect: {{error: {self.code}, phase: {READ_PHASES[self.code]}}}")
        elif self.twin is None:
            lines += ["expect: {decode: ok, canonical: true}", f"document: {self.id}.json", f"recode: {self.id}.ckpt"]
        else:
            lines += [
                "expect: {decode: ok, canonical: false}",
                f"document: ../valid/{self.twin}.json",
                f"recode: ../valid/{self.twin}.ckpt",
            ]
        lines += [] if self.profile is None else [f"profile: {self.profile}"]
        lines += [f"{key}: [{', '.join(names)}]" for key in ("needs", "lacks") if (names := getattr(self, key))]
        return "\n".join(lines) + "\n"

    def files(self) -> dict[str, bytes]:
        """The files of the vector by their paths below `ckpt/`."""
        stem = f"{self.folder}/{self.id}"
        found = {f"{stem}.ckpt": self.data, f"{stem}.yaml": self.sidecar().encode("ascii")}
        if self.document is not None and self.twin is None:
            found[f"{stem}.json"] = dump_text(self.document)
        return found


def dump_text(document: Document) -> bytes:
    """A document as one line of ASCII."""
    return json.dumps(tagged.dump(document), separators=(",", ":")).encode("ascii") + b"\n"


def _ids(reqs: str) -> tuple[str, ...]:
    """Requirement ids of the format from their short forms: `VAL-001` is `CKPT-VAL-001`."""
    return tuple(f"CKPT-{req}" for req in reqs.split())


def valid(number: int, title: str, reqs: str, document: Document) -> Vector:
    """A canonical file."""
    return Vector(f"CKPT-V-{number:03}", title, _ids(reqs), file(document), document)


def alternative(number: int, title: str, reqs: str, twin: Vector, encoder: Encoder | bytes) -> Vector:
    """Another encoding of the document of a canonical vector.

    Spec: CKPT-CANON-003, CKPT-CANON-004.
    """
    if twin.document is None:
        msg = f"twin of CKPT-N-{number:03}: {twin.id}; expected a valid vector"
        raise ValueError(msg)
    data = encoder if isinstance(encoder, bytes) else file(twin.document, encoder)
    every = f"CANON-003 CANON-004 {reqs}".split()
    req = _ids(" ".join(dict.fromkeys(every)))
    return Vector(f"CKPT-N-{number:03}", title, req, data, twin.document, twin.id)


def invalid(number: int, code: str, title: str, reqs: str, data: bytes | Frame) -> Vector:
    """A file with one fault.

    Spec: CKPT-READ-001.
    """
    content = data if isinstance(data, bytes) else data.build()
    every = ("READ-001 READ-005 " + reqs).split()
    req = _ids(" ".join(dict.fromkeys(every)))
    return Vector(f"CKPT-I-{number:03}", title, req, content, code=code)


def flip(data: bytes, offset: int, bit: int = 0) -> bytes:
    """The data with one bit changed; a negative offset counts from the end."""
    changed = bytearray(data)
    changed[offset] ^= 1 << bit
    return bytes(changed)
