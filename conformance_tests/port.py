"""The description of a port, `port.toml`, read strictly.

Spec: CONF-PORT-001, and section 6 of 90-conformance.md.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from attrs import frozen

PROFILE_INCLUDES: dict[str, tuple[str, ...]] = {
    "codec-read": (),
    "codec": ("codec-read",),
    "callbacks": ("codec",),
    "checkpoint": ("callbacks",),
    "resume": ("checkpoint",),
    "crash-process": ("resume",),
    "crash-power": ("crash-process",),
    "ext:zstd": ("codec",),
    "ext:sharded": ("codec",),
    "ext:pool": ("codec",),
}
CAPABILITIES = ("signals", "async", "threads", "symlinks", "mmap", "float32", "zstd")

_REQUIRED = {"name": str, "version": str, "language": str, "run": list, "claims": list}
_OPTIONAL = {"build": list, "capabilities": list, "timeout_scale": (int, float)}
_BRANCHES = {"main", "master", "trunk", "head", "develop", "dev", "latest"}


class PortError(Exception):
    """A `port.toml` that the runner refuses; the message names the key."""


@frozen
class Port:
    """A port as its `port.toml` describes it.

    Attributes:
        path: the `port.toml`.
        name, version, language, run, claims, capabilities, build, timeout_scale: its keys.
    """

    path: Path
    name: str
    version: str
    language: str
    run: tuple[str, ...]
    claims: tuple[str, ...]
    capabilities: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    timeout_scale: float = 1.0

    @property
    def folder(self) -> Path:
        """The folder in which the build and the adapter are started."""
        return self.path.resolve().parent

    def claimed(self) -> frozenset[str]:
        """The claimed profiles with those that they include."""
        return frozenset().union(*(included(claim) for claim in self.claims))


def included(profile: str) -> frozenset[str]:
    """A profile with all that it includes."""
    return frozenset({profile}).union(*(included(part) for part in PROFILE_INCLUDES[profile]))


def read_port(path: Path) -> Port:
    """Read and check a `port.toml`; raises `PortError` if a rule is broken.

    Spec: CONF-PORT-001.
    """
    try:
        with path.open("rb") as stream:
            table = tomllib.load(stream)
    except OSError as error:
        said = "no such file" if isinstance(error, FileNotFoundError) else error.strerror or error
        raise PortError(f"{path}: {said}; expected a readable port.toml") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PortError(f"{path}: {error}; expected a readable port.toml") from error
    _check_types(table, path)
    _check_values(table, path)
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Port(path, **fields)


def _check_types(table: dict[str, Any], path: Path) -> None:
    known: dict[str, Any] = _REQUIRED | _OPTIONAL
    for key in table:
        if key not in known:
            raise PortError(f"{path}: unknown key {key!r}; expected one of {', '.join(known)}")
    for key, kind in known.items():
        if key not in table:
            if key in _REQUIRED:
                raise PortError(f"{path}: missing key {key!r}; expected {', '.join(_REQUIRED)}")
            continue
        value = table[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise PortError(f"{path}: {key} is {value!r}; expected {_kind_name(kind)}")
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise PortError(f"{path}: {key} is {value!r}; expected an array of strings")


def _kind_name(kind: object) -> str:
    if kind is str:
        return "a string"
    return "an array of strings" if kind is list else "a number"


def _check_values(table: dict[str, Any], path: Path) -> None:
    """The rules that the comments of section 1 state."""
    scale = table.get("timeout_scale", 1.0)
    rules = [
        ("name", re.fullmatch(r"[a-z0-9-]+", table["name"], re.ASCII), "[a-z0-9-]+"),
        ("version", table["version"] and table["version"].lower() not in _BRANCHES, "a version, not a branch"),
        ("run", table["run"], "a command"),
        ("claims", set(table["claims"]) <= set(PROFILE_INCLUDES), f"profiles: {', '.join(PROFILE_INCLUDES)}"),
        ("capabilities", set(table.get("capabilities", [])) <= set(CAPABILITIES), ", ".join(CAPABILITIES)),
        ("timeout_scale", isinstance(scale, (int, float)) and 1.0 <= scale <= 10.0, "1.0 to 10.0"),
    ]
    for key, holds, rule in rules:
        if not holds:
            raise PortError(f"{path}: {key} is {table.get(key)!r}; expected {rule}")
