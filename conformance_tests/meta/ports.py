"""A `port.toml` for a hostile adapter, or for none at all, in a folder of a test."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["hostile", "write_port"]

_MODULE = "tenuto.conformance_tests.meta.hostile"


def write_port(
    folder: Path, run: Sequence[str], claims: Sequence[str], capabilities: Sequence[str] = (), **more: object
) -> Path:
    """Writes a `port.toml`; `more` are keys with values that JSON and TOML write in the same way."""
    lists = {"run": list(run), "claims": list(claims), "capabilities": list(capabilities)}
    table = {"name": "hostile", "version": "1", "language": "Python", **lists, **more}
    path = folder / "port.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items()))
    return path


def hostile(
    folder: Path, adapter: str, claims: Sequence[str] = ("codec-read", "codec"), capabilities: Sequence[str] = ()
) -> Path:
    """Writes the `port.toml` of a hostile adapter."""
    return write_port(folder, [sys.executable, "-m", _MODULE, adapter], claims, capabilities)
