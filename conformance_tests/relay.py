"""One port trains up to a point, another one goes on from its file, and the end is what one alone would have reached.

Spec: section 6 of 90-conformance.md, TR-REST-005, CPC-STATE-001.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from attrs import frozen
from rich.console import Console
from rich.text import Text

from tenuto.conformance_tests.cases import Conversation, Talk
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.limits import Deadlines, Limits
from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.port import Port, PortError, read_port
from tenuto.conformance_tests.protocol import Reply
from tenuto.conformance_tests.scenarios.families import resumes
from tenuto.conformance_tests.scenarios.script import Script
from tenuto.conformance_tests.scenarios.stage import carry_out
from tenuto.conformance_tests.session import opened

__all__ = ["Leg", "judge_relay", "relay", "relay_scripts"]


@frozen
class Leg:
    """What came of one hand-over.

    Attributes:
        script: The training, and where it was interrupted.
        judgement: Of the file, the events and the replies of both ports.
    """

    script: Script
    judgement: Judgement


@frozen
class Relay:
    """A conversation with two ports: the first one runs, the second one restores and lists."""

    first: Talk
    second: Talk

    def ask(self, operation: str, members: Mapping[str, Json]) -> Reply:
        """See `Talk`."""
        return (self.first if operation == "run" else self.second).ask(operation, members)

    def restart(self) -> None:
        """See `Talk`."""
        self.second.restart()

    def scratch(self) -> Path:
        """See `Talk`."""
        return self.first.scratch()


def relay_scripts() -> list[Script]:
    """Returns the trainings that are handed over at every point at which they can be saved."""
    return [script for training in resumes.TRAININGS for script in resumes.stopped(training)]


def relay(first: Port, second: Port, deadlines: Deadlines | None = None) -> Iterator[Leg]:
    """Hands every training over from one port to another.

    Args:
        first: Trains up to the point.
        second: Goes on from there, each time in a new process.
        deadlines: How long to wait; those of the specification if not given.

    Yields:
        What came of each hand-over, in order.
    """
    terms = deadlines or Deadlines()
    with opened(first, terms, Limits()) as one, opened(second, terms, Limits()) as other:
        talk = Relay(one, other)
        for script in relay_scripts():
            yield Leg(script, one.run(Conversation(partial(_hand_over, script, talk))))


def _hand_over(script: Script, talk: Talk, _: Talk) -> Judgement:
    return carry_out(script, talk)


def judge_relay(first: Path, second: Path) -> int:
    """Hands every training over from one port to another, and says what came of it.

    Returns:
        0 if every hand-over leads to what one port alone would have reached, 1 if not, 2 if there is no such port.

    Spec: TR-REST-005, CONF-VERDICT-003.
    """
    try:
        ports = read_port(first), read_port(second)
    except PortError as error:
        Console(stderr=True).print(Text(str(error)), soft_wrap=True)
        return 2
    console, verdicts = Console(), Counter[str]()
    for leg in relay(*ports):
        verdicts[leg.judgement.verdict] += 1
        if leg.judgement.verdict is not Verdict.PASS:
            said = f"{leg.judgement.verdict} {leg.script.id}: {leg.judgement.detail}"
            compared = f"  expected: {leg.judgement.expected}\n  got:      {leg.judgement.actual}"
            console.print(Text(f"{said}\n{compared}"), soft_wrap=True)
    counts = ", ".join(f"{verdict} {count}" for verdict, count in sorted(verdicts.items()))
    console.print(Text(f"{ports[0].name} -> {ports[1].name}: {counts}"), soft_wrap=True)
    return 0 if set(verdicts) == {Verdict.PASS} else 1
