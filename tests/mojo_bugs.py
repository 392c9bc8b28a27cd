"""Ten bugs in the Mojo port, one at a time: each is built, and the conformance suite asked whether it sees it.

`make mojo-mutants` runs it.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from attrs import frozen
from mojo_builds import PORT, build

from tenuto.conformance_tests.entries import entries

BUGS = PORT / "tests/seeded.yaml"
PAGE = PORT.parents[1] / "docs/mojo-and-the-spec.md"
HEAD = "| bug | what the port does then | file | cases that see it |\n| --- | --- | --- | --- |\n"


@frozen
class Bug:
    """An entry of the catalog.

    Attributes:
        bug: What the port does wrong then.
        file: Relative to the folder of the port.
        old: Stands in the file once.
        new: Stands in its place in the copy.
        cases: Cases of the suite that see it.
    """

    id: str
    bug: str
    file: str
    old: str
    new: str
    cases: list[str]

    def changed(self):
        """Returns the text of the changed file.

        Raises:
            AssertionError: What is to be changed is not there, or more than once.
        """
        text = (PORT / self.file).read_text()
        found = text.count(self.old)
        assert found == 1, f"{self.id}: `old` is {found} times in {self.file}; expected once"
        return text.replace(self.old, self.new)

    def row(self):
        """Returns its row of the table."""
        return f"| {self.id} | {self.bug} | `{self.file}` | {', '.join(f'`{case}`' for case in self.cases)} |\n"


def read_bugs():
    """Returns the bugs of the catalog."""
    return [Bug(**entry.fields) for entry in entries(BUGS.read_text(), BUGS.name)]


def table():
    """Returns the table of the catalog."""
    return HEAD + "".join(bug.row() for bug in read_bugs())


def build_copy(folder, bug=None):
    """Builds a copy of the port in an empty folder, with a bug or without, and returns its `port.toml`."""
    for name in ("tenuto", "tenuto_adapter"):
        shutil.copytree(PORT / name, folder / name)
    for name in ("adapter.mojo", "port.toml"):
        shutil.copy(PORT / name, folder)
    if bug is not None:
        (folder / bug.file).write_text(bug.changed())
    build("adapter.mojo", folder / "build/adapter", folder)
    return folder / "port.toml"


def verdicts(port, cases):
    """Asks a port for cases and returns the verdict of each."""
    results = port.parent / "results.jsonl"
    filters = [part for case in cases for part in ("--filter", case)]
    command = [sys.executable, "-m", "tenuto.cli", "conformance", "run", "--port", port, "--results", results, *filters]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    return {row["case"]: row["verdict"] for row in rows if row["kind"] == "verdict"}


def ask(bug, cases):
    """Builds the port with a bug, or the sound one, and returns the verdicts of cases."""
    with tempfile.TemporaryDirectory() as folder:
        return verdicts(build_copy(Path(folder), bug), cases)


def say(text):
    """Shows a line at once: the whole takes long."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main():
    """Returns 0 if the sound port passes every case that is named, and each bug makes all of its own fail."""
    bugs = read_bugs()
    sound = ask(None, [case for bug in bugs for case in bug.cases])
    missed = [f"the sound port: {case}: {verdict}" for case, verdict in sound.items() if verdict != "PASS"]
    for bug in bugs:
        found = ask(bug, bug.cases)
        say(f"{bug.id} {bug.bug}: {found}")
        missed += [f"{bug.id}: {case}: {found.get(case)}" for case in bug.cases if found.get(case) != "FAIL"]
    say("\n".join(missed) or f"{len(bugs)} bugs, each seen by the suite")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
