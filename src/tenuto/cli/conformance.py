"""`tenuto conformance`: judge a port by the specification."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Judge an implementation of the specification, a port, by what it does.", no_args_is_help=True)

RUN_HELP = """Drive a port through the conformance cases and judge every answer.

A port is an implementation of the specification in any language. It brings a small program, its adapter, that
answers requests on stdin and stdout, and a file port.toml that says how to start it and which profiles it claims:

    name = "mojo"
    version = "0.1.0"
    language = "Mojo"
    run = ["./build/adapter"]
    claims = ["codec-read", "codec"]

The adapter may crash, hang or lie; the run goes on, and every case has a verdict. A failure shows the clause of
the specification, what was expected, and the command that runs this one case again.

    tenuto conformance run --port ports/python/port.toml
    tenuto conformance run --port ports/python/port.toml --profile codec-read
    tenuto conformance run --port ports/python/port.toml --only CKPT-V-001/decode

Exit code: 0 everything claimed has passed, 1 the port has failed, 2 wrong usage, 3 a fault of the suite.
"""


@app.callback()
def main() -> None:
    """Judge an implementation of the specification, a port, by what it does."""


@app.command(help=RUN_HELP)
def run(
    port: Annotated[Path, typer.Option(help="The port.toml of the port.", show_default=False)],
    profile: Annotated[
        str | None, typer.Option(help="Only the cases of this profile and of those that it includes.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this case, or all cases of this vector; may be repeated.", metavar="CASE"),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the results, a line for each case.",
            show_default="build/conformance/NAME.jsonl, with --only NAME.only.jsonl",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")] = False,
) -> None:
    """Run the conformance cases against a port.

    Spec: CONF-VERDICT-003.
    """
    from tenuto.conformance_tests.command import judge_port  # noqa: PLC0415 - keeps the command line light

    raise typer.Exit(judge_port(port, profile, only or [], results, as_json=json))


@app.command()
def file(
    checkpoint: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint of yours.", show_default=False)],
    port: Annotated[Path, typer.Option(help="The port.toml of the port.", show_default=False)],
) -> None:
    """Let a port read one of your checkpoints and write it again: the bytes have to be the same.

    Example:    tenuto conformance file checkpoints/latest.ckpt --port ports/mojo/port.toml

    Exit code: 0 the same bytes, 1 other bytes or no answer, 2 wrong usage.

    Spec: CONF-OP-004, CKPT-CANON-005.
    """
    from tenuto.conformance_tests.command import judge_file  # noqa: PLC0415 - keeps the command line light

    raise typer.Exit(judge_file(port, checkpoint))
