"""Starts the adapter that is named by the argument."""

import inspect
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tenuto.conformance_tests.meta.hostile import ends, forms, lies, machine, silence, training
from tenuto.conformance_tests.meta.hostile.polite import Request

_KINDS = (ends, silence, forms, lies, machine, training)
BEHAVIORS: dict[str, Callable[[Request, int], None]] = {
    name: function
    for kind in _KINDS
    for name, function in vars(kind).items()
    if inspect.isfunction(function) and function.__module__ == kind.__name__ and not name.startswith("_")
}


def main(behavior: Callable[[Request, int], None]) -> None:
    """Counts its starts, and answers line by line."""
    with Path("starts").open("a") as starts:
        starts.write("x")
    for number, line in enumerate(sys.stdin.buffer, 1):
        request = json.loads(line)
        behavior(request, number)
        if request["op"] == "bye":
            return
    if behavior is ends.outlives_its_input:
        time.sleep(600)


if __name__ == "__main__":
    main(BEHAVIORS[sys.argv[1]])
