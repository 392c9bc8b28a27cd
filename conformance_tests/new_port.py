"""The folder of a new port: what says how to start it, how to go on, and for Python an adapter to grow.

Spec: sections 1 to 4 of 90-conformance.md.
"""

import json
import re
from importlib import resources
from pathlib import Path

from tenuto.conformance_tests.clauses import spec_version

_PORT = """\
# What the keys mean: section 1 of 90-conformance.md of the specification.
name = {name}
version = "0.1.0"
language = {language}
# build = ["make"]                  # run in this folder before anything else
run = {run}
claims = ["codec-read"]             # grow it: codec, callbacks, checkpoint, resume
capabilities = []                   # of: signals, async, threads, symlinks, mmap, float32, zstd
timeout_scale = 1.0
"""
_README = """\
# {name}: a tenuto port in {language}

Written for version {spec} of the specification, from its text alone.

```
tenuto conformance run --port port.toml
```

judges it. The first run fails, and each failure shows the clause that it breaks and a command that runs this case
alone. `tenuto conformance explain CKPT-READ-001` says more about a requirement, `tenuto conformance explain CKPT-I-001`
about a case.

## The way

1. **The adapter**: a program that reads one JSON object a line from stdin, and answers each with one line on stdout,
   `@tenuto ` and a JSON object. {start}
2. **`hello`, `echo`, `bye`**, an operation that it does not know, and a line that is no JSON: `--filter 'CONF-*'`.
3. **The library**: msgpack, xxh64, and reading a file with every check of `40-ckpt-format.md` in its order: `decode`.
4. **Writing the canonical form**: `recode`, `encode`; then claim `codec`.
5. **Training**: `50-reference-workload.md`, then `run`, `restore` and `list` of `95-scenarios.md`; then claim
   `callbacks`, `checkpoint`, and `resume`, which makes the port tenuto-compatible.

An operation that is not written yet is answered `unsupported` with its name. For a profile that is claimed that is a
failure, and an honest one.

## The JSON that is spoken

No numbers and no null, in neither direction, so a parser is short:

```
value   = object | array | string | "true" | "false"
object  = "{{" [ member {{ "," member }} ] "}}"          member = string ":" value
array   = "[" [ value {{ "," value }} ] "]"
string  = '"' {{ character | escape }} '"'              character: any but '"', "\\" and U+0000 to U+001F, in UTF-8
escape  = "\\" ( '"' | "\\" | "/" | "b" | "f" | "n" | "r" | "t" | "u" hex hex hex hex )
```

- Blanks may stand between tokens. A key stands once in an object. `\\ud83d\\ude00` is one character, a surrogate pair.
- A request has at most 1 MiB; so has a reply.
- Flush stdout after each reply, and print nothing else there: what a library prints belongs to stderr.
- In `value` and `protocol` and in documents a scalar is a string with a tag: `i:-5`, `f64:3ff0000000000000` (the bits
  of an IEEE double), `s:text`, `b:00ff`, `nil`, or the literals `true` and `false`. A tree is such a scalar or an array
  that starts with its kind: `["array", ...]`, `["map", [key, tree], ...]`, `["tensor", "t:0", dtype, "2,3", "b:..."]`.
- Answer `hello` within 20 s and anything else within 10 s, each times `timeout_scale`; end within 2 s of `bye`, and
  when stdin ends.
"""
_STARTS = {
    "python": "`adapter.py` is there and answers step 2.",
    "mojo": "`skeleton/` has the callbacks, settings, codes and constants.",
}


class NewPortError(Exception):
    """A folder or a language that no port can be made of."""


def write_port(folder: Path, language: str) -> list[Path]:
    """Write the folder of a new port.

    Args:
        folder: where; it must not be there, or be empty.
        language: in any case of letters.

    Returns:
        What was written.

    Raises:
        NewPortError: The folder is in use or cannot be written, or the language is no text.
    """
    name = re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-") or "port"
    if not language.strip() or not language.isprintable():
        raise NewPortError(f"--lang {language!r}; expected the name of a language")
    python = language.lower() == "python"
    run = ["python3", "adapter.py"] if python else ["./build/adapter"]
    start = _STARTS.get(language.lower(), "Sections 2 to 4 of `90-conformance.md` say what it has to answer.")
    quoted = {"name": json.dumps(name), "language": json.dumps(language, ensure_ascii=False), "run": json.dumps(run)}
    files = {
        "port.toml": _PORT.format(**quoted),
        "README.md": _README.format(name=name, language=language, spec=spec_version(), start=start),
    }
    if python:
        files["adapter.py"] = _skeleton()
    try:
        if folder.exists() and any(folder.iterdir()):
            raise NewPortError(f"{folder}: not empty; expected a folder that is not there yet")
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file).write_text(text, "utf-8")
    except OSError as error:
        raise NewPortError(f"{folder}: {error.strerror}; expected a folder that can be made") from error
    return [folder / file for file in files]


def _skeleton() -> str:
    return resources.files("tenuto.conformance_tests").joinpath("skeleton", "adapter.py").read_text("utf-8")
