"""One port trains up to a point, another one goes on from its file, and the end is what one alone would have reached.

Spec: section 6 of 90-conformance.md, TR-REST-005, CPC-STATE-001.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from attrs import define
from rich.console import Console
from rich.text import Text

from tenuto.conformance_tests.cases import Conversation, Talk
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.limits import Deadlines, Limits
from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.port import Port, PortError, read_port
from tenuto.conformance_tests.protocol import Reply
from tenuto.conformance_tests.relay_picture import Leg, draw_relay
from tenuto.conformance_tests.scenarios.families import resumes
from tenuto.conformance_tests.scenarios.script import Script
from tenuto.conformance_tests.scenarios.stage import carry_out
from tenuto.conformance_tests.session import opened

__all__ = ["Leg", "judge_relay", "relay", "relay_scripts"]


@define
class Relay:
    """A conversation with two ports that take turns: each goes on where the other one was, and tells what lies there.

    Attributes:
        ports: Of which the first one begins.
        turn: How often the training was handed over.
    """

    ports: tuple[Talk, Talk]
    turn: int = 0

    def ask(self, operation: str, members: Mapping[str, Json]) -> Reply:
        """See `Talk`."""
        return self.ports[(self.turn + (operation == "list")) % 2].ask(operation, members)

    def restart(self) -> None:
        """See `Talk`; a new process is wanted for each attempt that is resumed."""
        self.turn += 1
        self.ports[self.turn % 2].restart()

    def scratch(self) -> Path:
        """See `Talk`."""
        return self.ports[0].scratch()


def relay_scripts() -> list[Script]:
    """Returns trainings that one port makes alone, that are handed over at every point, and that go there and back."""
    alone = [resumes.whole(training) for training in resumes.TRAININGS]
    over = [script for training in resumes.TRAININGS for script in resumes.stopped(training)]
    return alone + over + [script for training in resumes.TRAININGS[:2] for script in resumes.there_and_back(training)]


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
        for script in relay_scripts():
            yield Leg(script, one.run(Conversation(partial(_hand_over, script, Relay((one, other))))))


def _hand_over(script: Script, talk: Talk, _: Talk) -> Judgement:
    return carry_out(script, talk)


def judge_relay(first: Path, second: Path, picture: Path | None = None) -> int:
    """Hands every training over from one port to another and the other way round, and says what came of it.

    Args:
        first: The `port.toml` of one port.
        second: That of the other.
        picture: Where to draw the hand-overs, if anywhere.

    Returns:
        0 if every hand-over leads to what one port alone would have reached, 1 if not, 2 if there is no such port.

    Spec: TR-REST-005, CONF-VERDICT-003.
    """
    try:
        ports = read_port(first), read_port(second)
    except PortError as error:
        Console(stderr=True).print(Text(str(error)), soft_wrap=True)
        return 2
    legs = {pair: list(relay(*pair)) for pair in (ports, ports[::-1])}
    for (one, other), found in legs.items():
        _say(one, other, found)
    if picture is not None:
        draw_relay(picture, {(one.name, other.name): found for (one, other), found in legs.items()})
    return 0 if all(leg.judgement.verdict is Verdict.PASS for found in legs.values() for leg in found) else 1


def _say(one: Port, other: Port, legs: list[Leg]) -> None:
    console, verdicts = Console(), Counter(leg.judgement.verdict.value for leg in legs)
    for leg in legs:
        if leg.judgement.verdict is not Verdict.PASS:
            said = f"{leg.judgement.verdict} {leg.script.id}: {leg.judgement.detail}"
            compared = f"  expected: {leg.judgement.expected}\n  got:      {leg.judgement.actual}"
            console.print(Text(f"{said}\n{compared}"), soft_wrap=True)
    counts = ", ".join(f"{verdict} {count}" for verdict, count in sorted(verdicts.items()))
    console.print(Text(f"{one.name} -> {other.name}: {counts}"), soft_wrap=True)
