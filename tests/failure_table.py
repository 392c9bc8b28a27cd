"""What the processes of the failure matrix were seen to do, as a page."""

from itertools import groupby
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/reference/failures.md"
HEAD = """# What happens when a run is stopped or fails

Written by `make failures` from real processes; do not edit.
`tests/test_failure_matrix.py` compares it with what it sees.

Each row is a process of its own, `tenuto train` on a small PyTorch job of three epochs of four batches, with three
callbacks and a checkpoint callback that saves every five steps. The signals are real ones; a failure is a
`RuntimeError`. The hooks are those that end a run, with the number of callbacks that were called.
The last column says whether a second process, started with `--resume auto`, ended with the file of a run that nothing
had disturbed.

| event | in | at step | hooks at the end | newest file | exact | exit code | resumed |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""
ENDS = ("on_exception", "on_train_end", "on_teardown")
EVENTS = {
    "update": ("failure", "the update of the optimizer", 6),
    "forward": ("failure", "the forward pass", 6),
    "max_seconds": ("`max_seconds` is over", "the first batch", 0),
}


class Table:
    """The rows in the order in which they were seen."""

    def __init__(self):
        self.rows = []

    def add(self, settings, code, calls, newest):
        """Adds a process; `newest` is the name of its newest file and whether that is exact."""
        what, hook, step = (settings.get(key, "") for key in ("what", "hook", "step"))
        event, place, at = EVENTS.get(hook, (_event(what), "a save" if hook == "save" else f"`{hook}`", step))
        if event == "normal end":
            place = at = "-"
        event += ", after a failure" if settings.get("also") else ""
        name, exact = newest or ("none", None)
        told = {True: "yes", False: "no", None: "-"}[exact]
        self.rows.append([event, place, str(at), _hooks(calls), f"`{name}`" if newest else name, told, str(code), "-"])

    def resumed(self, is_equal):
        """Notes what came of resuming the process that was added last."""
        self.rows[-1][-1] = "identical" if is_equal else "DIFFERENT"

    def lines(self):
        """Returns the rows as text."""
        return [f"| {' | '.join(row)} |" for row in self.rows]

    def page(self):
        """Returns the whole page."""
        return HEAD + "\n".join(self.lines()) + "\n"


def _event(what):
    words = what.split("+")
    if len(words) > 1:
        return ", then ".join(words) + " at once"
    return {"": "normal end", "failure": "failure", "stop": "a stop is asked for"}.get(what, what)


def _hooks(calls):
    """Returns the hooks that end a run, each with the number of callbacks called."""
    ending = [hook for _, hook, _ in calls if hook in ENDS]
    return ", ".join(f"`{hook}` x {len(list(group))}" for hook, group in groupby(ending))
