"""What `tenuto inspect` shows of an opened checkpoint."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as RichTree

from tenuto.cli.files import discard_output, printable
from tenuto.reference.checkpoint import Document, OpenedCheckpoint, StoredTensor, Tensor, Tree

__all__ = ["facts_of", "model_differences", "show"]

_METADATA = ("kind", "exact", "progress", "metrics", "origin")
_LEVELS_MAX = 64  # a name may hold any number of dots, and branches are made and drawn recursively
_PIPE_WIDTH = 200  # a pipe has no width: wide enough that nothing is cut


def facts_of(opened: OpenedCheckpoint) -> dict[str, Any]:
    """Returns everything that is shown, as what JSON can hold. Touches no tensor.

    Returns:
        `version`, `canonical`, `requires`, `bytes`, `head_bytes`, the parts of the metadata that are there, `tensors`
        in file order (`path`, `dtype`, `shape`, `bytes`, `shared_with`: the path where the storage was first met, or
        None) and `totals`.

    Spec: STORE-CLI-002.
    """
    metadata = opened.head["metadata"]
    assert isinstance(metadata, dict)  # noqa: S101 - the reader has checked it
    tensors = list(_tensors(opened.head, "", {}))
    own = [tensor for tensor in tensors if tensor["shared_with"] is None]
    return {
        "version": opened.head["version"],
        "canonical": opened.is_canonical,
        "requires": opened.head["requires"],
        "bytes": opened.source.length,
        "head_bytes": opened.trailer.head_length,
        **{key: _plain(metadata[key]) for key in _METADATA if key in metadata},
        "tensors": tensors,
        "totals": {
            "tensors": len(tensors),
            "shared": len(tensors) - len(own),
            "elements": sum(math.prod(tensor["shape"]) for tensor in own),
            "tensor_bytes": sum(tensor["bytes"] for tensor in own),
            "segments": len(opened.rows),
        },
    }


def _tensors(tree: Tree | dict[str, Tree], path: str, met: dict[int, str]) -> Iterator[dict[str, Any]]:
    if isinstance(tree, StoredTensor):
        first = met.setdefault(id(tree), path) if tree.size_bytes else path
        facts = {"path": path, "dtype": tree.dtype, "shape": list(tree.shape), "bytes": tree.size_bytes}
        yield {**facts, "shared_with": first if first != path else None}
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _tensors(value, f"{path}.{key}" if path else key, met)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _tensors(value, f"{path}[{index}]", met)


def model_differences(a: Document, b: Document) -> list[str] | None:
    """Returns where the models of two checkpoints differ in names, dtypes and shapes, or None if they are the same.

    Whether they differ is told by the fingerprints of their architectures, where both files have one.
    """
    prints = [_fingerprint(document) for document in (a, b)]
    if not all(isinstance(one, str) for one in prints) or prints[0] == prints[1]:
        return None
    one, other = (dict(_shapes(document.head["model_state"], "model_state")) for document in (a, b))
    differing = [path for path in sorted(one.keys() | other.keys()) if one.get(path) != other.get(path)]
    missing = ("not in the first", "not in the second")
    return [f"{path}: {one.get(path, missing[0])}; {other.get(path, missing[1])}" for path in differing]


def _fingerprint(document: Document) -> object:
    metadata = document.head["metadata"]
    architecture = metadata.get("architecture") if isinstance(metadata, Mapping) else None
    return architecture.get("fingerprint") if isinstance(architecture, Mapping) else None


def _shapes(tree: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, Tensor):
        yield path, f"{tree.dtype} {list(tree.shape)}"
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _shapes(value, f"{path}.{key}")
    elif isinstance(tree, list | tuple):
        for index, value in enumerate(tree):
            yield from _shapes(value, f"{path}[{index}]")


def _plain(value: Any) -> Any:  # noqa: ANN401 - any tree
    """Returns a tree as JSON can hold it: what it cannot hold becomes text."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, StoredTensor):
        return f"{value.dtype} tensor of shape {list(value.shape)}"
    if isinstance(value, bytes):
        return value.hex()
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


class _Console(Console):
    """Goes on in silence where rich would end the command with code 1, that of a bad file."""

    def on_broken_pipe(self) -> None:
        """Spec: STORE-CLI-001."""
        self.quiet = True
        discard_output()


def show(name: str, facts: dict[str, Any]) -> None:
    """Prints the facts for people."""
    console = _Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    console.print(_summary(name, facts))
    console.print(_tensor_tree(facts["tensors"]))
    totals = facts["totals"]
    shared = f", {totals['shared']} of them sharing storage" if totals["shared"] else ""
    counts = f"{totals['tensors']:,} tensors{shared}, {totals['elements']:,} elements"
    console.print(Text(f"{counts}, {decimal(totals['tensor_bytes'])} in {totals['segments']:,} segments"))


def _form(facts: dict[str, Any]) -> str:
    if facts["requires"]:
        return f"compressed ({', '.join(facts['requires'])})"
    return "canonical" if facts["canonical"] else "not canonical"


def _summary(name: str, facts: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    rows = {
        "file": name,
        "version": f"{facts['version']}, {_form(facts)}",
        "size": f"{facts['bytes']:,} bytes, {facts['head_bytes']:,} of them head",
    }
    for key in _METADATA:
        value = facts.get(key, "-")
        parts = value.items() if isinstance(value, dict) and value else [(None, value)]
        for part, item in parts:
            rows[key if part is None else f"{key}.{part}"] = _brief(item)
    for label, text in rows.items():
        table.add_row(Text(printable(label), style="bold"), Text(printable(text)))
    return table


def _brief(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return ", ".join(f"{key} {_brief(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_brief, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _tensor_tree(tensors: list[dict[str, Any]]) -> RichTree:
    """One branch for each part of the file and each level of names, one leaf for each tensor."""
    tree = RichTree(Text("tensors", style="bold"))
    branches: dict[str, RichTree] = {"": tree}
    for tensor in tensors:
        parent, _, leaf = tensor["path"].rpartition(".")
        if parent.count(".") > _LEVELS_MAX:
            parent, leaf = "", tensor["path"]
        sizes = f"{tensor['dtype']} {tensor['shape']} {decimal(tensor['bytes'])}"
        shared = f" = {tensor['shared_with']}" if tensor["shared_with"] else ""
        _branch(branches, parent).add(Text(printable(f"{leaf}  {sizes}{shared}")))
    return tree


def _branch(branches: dict[str, RichTree], path: str) -> RichTree:
    if path not in branches:
        parent, _, name = path.rpartition(".")
        branches[path] = _branch(branches, parent).add(Text(printable(name), style="bold"))
    return branches[path]
