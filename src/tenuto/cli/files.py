"""`tenuto inspect`, `verify`, `diff` and `recode`: the commands for checkpoint files."""

from __future__ import annotations

import json
import os
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from tenuto.reference.errors import CheckpointError

__all__ = ["describe", "discard_output", "printable", "register"]

_FOREIGN_CODES = {"file_too_small", "not_a_checkpoint"}  # nothing but a checkpoint gets past these
_HINTS_MAX = 5  # lines about models that differ: enough to see which they are
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the main application."""
    for command in (inspect, verify, diff, recode):
        app.command(rich_help_panel="Checkpoint files")(command)


def inspect(
    file: Annotated[Path, typer.Argument(help="A checkpoint.")],
    as_json: _Json = False,
) -> None:
    """Show what a checkpoint holds: progress, metrics, origin, and every tensor with dtype, shape and size.

    Reads the head and the table of the file and none of the tensors, so it is quick on a file of any size. It does not
    notice damage inside tensors; `tenuto verify` does.

    Example: tenuto inspect checkpoints/latest.ckpt
    """
    from tenuto.cli import inspection  # noqa: PLC0415 - numpy and rich take long to import
    from tenuto.reference.checkpoint import open_file  # noqa: PLC0415 - as above

    with _naming(file), open_file(file) as opened:
        facts = inspection.facts_of(opened)
    if as_json:
        _print_json({"file": str(file), **facts})
    else:
        inspection.show(str(file), facts)


def verify(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|DIR...", help="Checkpoints, or folders of them.")],
    as_json: _Json = False,
) -> None:
    """Check every byte of checkpoints: one line per file, `ok` or the code of what is wrong.

    A folder stands for all its *.ckpt files. Ends with 0 if every file is good and with 1 if one is not, or if a folder
    holds none.

    Example: tenuto verify checkpoints/ backup/best_model_val_loss.ckpt
    """
    from tenuto.cli.verification import progress, verify_file  # noqa: PLC0415 - numpy and rich take long to import

    found = list(_files(paths))
    results = []
    with progress([path for path, _ in found]) as advance:
        for path, missing in found:
            result = (
                {"file": str(path), "ok": False, "code": "no_checkpoints"} if missing else verify_file(path, advance)
            )
            results.append(result)
            if not as_json:
                _print_verdict(result)
    if as_json:
        _print_json(results)
    if not all(result["ok"] for result in results):
        raise typer.Exit(1)


def diff(
    a: Annotated[Path, typer.Argument(help="A checkpoint.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: _Json = False,
) -> None:
    """Tell whether two checkpoints are identical, and if not, where they first differ.

    Identical means: the same bytes in canonical form, once `metadata.origin` (clock, host, run, interruptions) is left
    out. The SHA-256 that is printed is that of this form, so it also compares files on two machines.

    Example: tenuto diff straight/latest.ckpt resumed/latest.ckpt
    """
    from tenuto.cli.inspection import model_differences  # noqa: PLC0415 - numpy and rich take long to import
    from tenuto.reference.checkpoint import read_checkpoint  # noqa: PLC0415 - as above
    from tenuto.reference.checkpoint.compare import digest, first_difference  # noqa: PLC0415 - as above

    documents = []
    for path in (a, b):
        with _naming(path):
            documents.append(read_checkpoint(path))
    digests = [digest(document) for document in documents]
    difference = None if digests[0] == digests[1] else first_difference(*documents) or "in the canonical form"
    models = model_differences(*documents)
    told = {"identical": difference is None, "first_difference": difference, "sha256": digests}
    if as_json:
        _print_json({**told, "model_differences": models})
    else:
        for path, sha in zip((a, b), digests, strict=True):
            _say(f"{sha}  {path}")
        _say("identical" if difference is None else f"first difference: {printable(difference)}")
        for line in _model_hint(models):
            _say(printable(line))
    if difference is not None:
        raise typer.Exit(1)


def recode(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A checkpoint.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where the new file goes; replaced if it exists.")],
    strip_origin: Annotated[bool, typer.Option("--strip-origin", help="Empty metadata.origin.")] = False,
    zstd: Annotated[bool, typer.Option("--zstd", help="Compress the tensors for which that pays.")] = False,
) -> None:
    """Write the canonical form of a checkpoint, which is not compressed; or with --zstd one that is.

    With --strip-origin two files of the same training become equal byte for byte: cmp or sha256sum then compare them.

    Example: tenuto recode --strip-origin latest.ckpt plain.ckpt
    """
    from tenuto.reference import checkpoint  # noqa: PLC0415 - numpy takes long to import

    _check_target(target)
    with _naming(source):
        document = checkpoint.read_checkpoint(source)
    document = checkpoint.strip_origin(document) if strip_origin else document
    checkpoint.write_checkpoint(target, document, compression="zstd" if zstd else None)
    form = "it was canonical before" if document.canonical else "it was not canonical before"
    _say(f"wrote {target}: {target.stat().st_size} bytes ({form})")


def _check_target(target: Path) -> None:
    """Refuses what must not be replaced by a file, and a folder that may be a misspelling."""
    folder = target.absolute().parent
    if not folder.is_dir():
        message = f"{target}: no folder {folder}; expected one that exists: make it first"
        raise CheckpointError("file_not_found", message, phase="io")
    try:
        mode = os.lstat(target).st_mode  # not followed: the link itself would be replaced, such as /dev/stdout
    except OSError:
        return
    if not stat.S_ISREG(mode):
        message = f"{target}: not a regular file; expected a new name or a file to replace"
        raise CheckpointError("not_a_file", message, phase="io")


def _model_hint(differences: list[str] | None) -> Iterator[str]:
    if differences is None:
        return
    yield "hint: the models differ" + (" in model_state:" if differences else ", but not in names and shapes")
    yield from (f"  {difference}" for difference in differences[:_HINTS_MAX])
    if len(differences) > _HINTS_MAX:
        yield f"  and {len(differences) - _HINTS_MAX} more"


def printable(text: str) -> str:
    """Escapes what a hostile file could use to steer a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Ends the command with one line about the file that is refused.

    Spec: STORE-CLI-003.
    """
    try:
        yield
    except CheckpointError as error:
        typer.echo(f"{path}: {printable(describe(path, error))}", err=True)
        raise typer.Exit(1) from error


def describe(path: Path, error: CheckpointError) -> str:
    """Returns the message of a refusal without the path, with what the file is if it is something else.

    Spec: STORE-CLI-003.
    """
    message = str(error).removeprefix(f"{path}: ")
    if error.code == "not_a_file" and error.phase == "io" and path.is_dir():
        verify_all = f"tenuto verify {shlex.quote(str(path))}"
        return f"{message}; this is a folder: name a file in it, or check all of them with `{verify_all}`"
    from tenuto.reference.checkpoint.files import foreign_name  # noqa: PLC0415 - numpy comes with it

    foreign = foreign_name(path) if error.code in _FOREIGN_CODES else None
    return f"{message}; this is {foreign}" if foreign else message


def _files(paths: list[Path]) -> Iterator[tuple[Path, bool]]:
    """Yields each file, and each folder without any, which is marked."""
    for path in paths:
        if not path.is_dir():
            yield path, False
            continue
        inside = sorted(child for child in path.glob("*.ckpt") if not child.name.startswith("."))
        yield from ((child, False) for child in inside)
        if not inside:
            yield path, True


def _print_verdict(result: dict[str, Any]) -> None:
    if result["ok"]:
        _say(f"ok  {result['file']}")
    else:
        message = printable(result.get("message", "a folder without *.ckpt files"))
        _say(f"{result['code']}  {result['file']}: {message}")


def _print_json(value: object) -> None:
    _say(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def _say(text: str) -> None:
    """Prints a line; if nobody reads any more, the command goes on in silence and ends with the code it would have."""
    try:
        typer.echo(text)
    except BrokenPipeError:
        discard_output()


def discard_output() -> None:
    """Sends the rest of stdout nowhere, so that `| head -1` does not make a good file look bad.

    Spec: STORE-CLI-001.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
