"""`tenuto conformance`: judge a port by the specification."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Judge an implementation of the specification, a port, by what it does.", no_args_is_help=True)

RUN_HELP = """Drive a port through the conformance cases and judge every answer.

A port is an implementation of the specification in any language. It brings a small program, its adapter, that
answers requests on stdin and stdout, and a file port.toml that says how to start it and which profiles it claims.
`tenuto conformance new-port` makes a folder to start from.

The adapter may crash, hang or lie; the run goes on, and every case has a verdict. A failure is asked again in a fresh
process; it shows the clause of the specification, what was expected, and the command that runs this one case again.
A file conformance-baseline.yaml beside port.toml may name failures that are known.

    tenuto conformance run --port ports/python/port.toml --jobs 2
    tenuto conformance run --port ports/python/port.toml --profile codec-read --seed random
    tenuto conformance run --port ports/python/port.toml --filter CKPT-V-001/decode --filter 'CKPT-CANON-*'

The results go to a file of JSON lines, and beside it a page, JUnit XML and a badge.

Exit code: 0 everything claimed has passed, 1 the port has failed, 2 wrong usage, 3 a fault of the suite.
"""

Port = Annotated[Path, typer.Option(help="The port.toml of the port.", show_default=False)]


@app.callback()
def main() -> None:
    """Judge an implementation of the specification, a port, by what it does."""


@app.command(help=RUN_HELP)
def run(
    port: Port,
    profile: Annotated[
        str | None, typer.Option(help="Only the cases of this profile and of those that it includes.")
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            help="Only this case, the cases of this vector or requirement, or those that a pattern names.",
            metavar="ID",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="How many processes of the adapter answer at once.")] = 1,
    seed: Annotated[
        str | None,
        typer.Option(help="Shuffle the cases by this number, or by one that is drawn: `random`.", metavar="SEED"),
    ] = None,
    process_per_test: Annotated[
        bool, typer.Option("--process-per-test", help="Ask each case of a fresh process too; the verdicts must agree.")
    ] = False,
    memory_gib: Annotated[int, typer.Option(help="The address space of one process of the adapter, in GiB.")] = 8,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the results, a line for each case.",
            show_default="build/conformance/NAME.jsonl, NAME.part.jsonl where not all of it is run",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")] = False,
) -> None:
    """Run the conformance cases against a port.

    Spec: CONF-VERDICT-003.
    """
    from tenuto.conformance_tests.command import Options, judge_port  # noqa: PLC0415 - keeps the command line light

    options = Options(port, profile, filters or [], results, jobs, seed, process_per_test, memory_gib, json)
    raise typer.Exit(judge_port(options))


@app.command()
def file(
    checkpoint: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint of yours.", show_default=False)],
    port: Port,
) -> None:
    """Let a port read one of your checkpoints and write it again: the bytes have to be the same.

    Example:    tenuto conformance file checkpoints/latest.ckpt --port ports/mojo/port.toml

    Exit code: 0 the same bytes, 1 other bytes or no answer, 2 wrong usage.

    Spec: CONF-OP-004, CKPT-CANON-005.
    """
    from tenuto.conformance_tests.command import judge_file  # noqa: PLC0415 - keeps the command line light

    raise typer.Exit(judge_file(port, checkpoint))


@app.command()
def report(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULTS...", help="Files of results, one of each port.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
) -> None:
    """Write one page about several ports side by side, from their results: requirements by ports.

    Example:    tenuto conformance report build/conformance/python.jsonl build/conformance/mojo.jsonl --out report.html

    Exit code: 0 written, 2 wrong usage.
    """
    from tenuto.conformance_tests.publish import report_page  # noqa: PLC0415 - keeps the command line light

    raise typer.Exit(report_page(results, out))


@app.command()
def explain(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Of a requirement, a case or a vector.")],
    port: Annotated[Path, typer.Option(help="A port.toml, for the commands that are shown.")] = Path("port.toml"),
) -> None:
    """Say what a requirement asks for and which cases judge it, or what a case asks a port, and how to run it.

    Example:    tenuto conformance explain CKPT-CANON-005
    """
    from tenuto.conformance_tests.clauses import spec_folder  # noqa: PLC0415 - keeps the command line light
    from tenuto.conformance_tests.explanation import explained  # noqa: PLC0415 - as above
    from tenuto.conformance_tests.plan import all_cases  # noqa: PLC0415 - as above

    text = explained(identity, all_cases(spec_folder()), port)
    if text is None:
        typer.echo(f"{identity}: no such requirement, case or vector; expected an id such as CKPT-CANON-005", err=True)
        raise typer.Exit(2)
    typer.echo(text)


@app.command()
def relay(
    first: Annotated[
        Path, typer.Option("--from", help="The port.toml of the port that trains up to a point.", show_default=False)
    ],
    second: Annotated[
        Path, typer.Option("--to", help="The port.toml of the port that goes on from there.", show_default=False)
    ],
    picture: Annotated[
        Path | None, typer.Option(help="Where to draw the hand-overs, a PNG; needs matplotlib.", show_default=False)
    ] = None,
) -> None:
    """Let two ports go on from the checkpoints of each other, at each point of some trainings: the end is the same.

    Some trainings go there and back: the first port goes on from what the second has made of its own checkpoint.
    Then the ports change places.

    Example:    tenuto conformance relay --from ports/python/port.toml --to ports/mojo/port.toml

    Exit code: 0 the same files and events, 1 a difference, 2 wrong usage.

    Spec: TR-REST-005, CPC-STATE-001.
    """
    from tenuto.conformance_tests.relay import judge_relay  # noqa: PLC0415 - keeps the command line light

    raise typer.Exit(judge_relay(first, second, picture))


@app.command("new-port")
def new_port(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is not there yet.", show_default=False)],
    lang: Annotated[str, typer.Option(help="The language of the port: any, python and mojo with skeletons.")],
) -> None:
    """Make the folder of a new port: port.toml, how to go on, for Python an adapter, for Python and Mojo skeletons.

    Example:    tenuto conformance new-port --lang rust my_port
    """
    from tenuto.conformance_tests.new_port import NewPortError, write_port  # noqa: PLC0415 - keeps the command line light

    try:
        written = write_port(folder, lang)
    except NewPortError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    for path in written:
        typer.echo(path)
    if lang.lower() in {"python", "mojo"}:
        from tenuto.cli.interfaces import stub  # noqa: PLC0415 - as above

        stub("python" if lang.lower() == "python" else "mojo", folder / "skeleton")
