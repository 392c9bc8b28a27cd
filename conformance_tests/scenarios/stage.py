"""Carries a case out: writes each scenario, asks for it, and judges what came of it.

Spec: SCN-OP-002 to SCN-OP-005, CONF-VERDICT-007.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define, field

from tenuto.conformance_tests.cases import Talk
from tenuto.conformance_tests.judge import PASSED, Judgement, Verdict, fail, not_ok
from tenuto.conformance_tests.oracle.document import Json, Writer
from tenuto.conformance_tests.protocol import Reply
from tenuto.conformance_tests.scenarios import compressed
from tenuto.conformance_tests.scenarios.damage import do_damage, find, with_run
from tenuto.conformance_tests.scenarios.events import Event, judge_events, read_events
from tenuto.conformance_tests.scenarios.expected import Expected, expectations, judge_by_hand, judge_reply, names_of
from tenuto.conformance_tests.scenarios.folder import Contents, judge_files, judge_names, judge_one_write
from tenuto.conformance_tests.scenarios.listing import judge_list, judge_stated_list
from tenuto.conformance_tests.scenarios.script import Act, Damage, Hold, Script
from tenuto.conformance_tests.scenarios.witness import NoCheckpointError, read

INDEX = "experiments.db"


def carry_out(script: Script, talk: Talk) -> Judgement:
    """Carries a case out in a folder of its own; see `carry_out_in`."""
    return carry_out_in(talk.scratch(), script, talk)


def carry_out_in(root: Path, script: Script, talk: Talk) -> Judgement:
    """Carries a case out and returns its judgement, that of the first attempt that differs.

    Args:
        root: An empty folder of the sandbox.
        script: The case.
        talk: The conversation with the port.

    Raises:
        MalformedError: The port wrote something that breaks the form of events or replies.
        SuiteError: The case is at fault.

    Spec: SCN-OP-002, SCN-OP-003.
    """
    stage = Stage(script, talk, root)
    for number, (act, expected) in enumerate(zip(script.attempts, expectations(script), strict=True), start=1):
        if (wrong := stage.attempt(number, act, expected)) is not None:
            where = f"attempt {number} of {len(script.attempts)}, " if len(script.attempts) > 1 else ""
            return Judgement(wrong.verdict, where + wrong.detail, wrong.expected, wrong.actual)
    return PASSED


@define
class Stage:
    """The folder of the sandbox in which one case is carried out.

    Attributes:
        script: The case.
        talk: The conversation with the port.
        root: The folder of the sandbox.
    """

    script: Script
    talk: Talk
    root: Path
    _made: set[str] = field(factory=set)
    _placed: set[str] = field(factory=set)
    _is_fresh: bool = False

    def attempt(self, number: int, act: Act, expected: Expected) -> Judgement | None:
        """Carries one attempt out; returns what is wrong with it."""
        folder = self.root / act.folder
        if act.folder not in self._made:
            folder.mkdir()
            self._made.add(act.folder)
        if (wrong := _do(folder, act.damage)) is not None:
            return wrong
        self._placed |= {damage.to for damage in act.damage if damage.how == "link_as"}
        before = Contents.of(folder)
        reply = self._ask(number, act, folder)
        wrong = self._judge_reply(expected, reply)
        if wrong is not None or reply.kind not in {"ok", "error"}:
            return wrong
        found = Contents.of(folder)
        if reply.kind == "error" and found != before:
            return fail("a refusal that changed the folder (ERR-CODE-005)", before.names(), found.names())
        events = read_events(self.root / f"events-{number}.jsonl")
        if isinstance(events, Judgement):
            return events
        wrong = self._judge_events(expected, events) or self._judge_outside()
        if wrong is not None or self.script.profile == "callbacks":
            return wrong
        return self._judge_saved(act, expected, events, found, before) or self._judge_list(folder, expected)

    def _ask(self, number: int, act: Act, folder: Path) -> Reply:
        """Asks for one attempt; one that is resumed is asked for in a process that has carried out nothing.

        Spec: SCN-OP-002, SCN-OP-003.
        """
        path, events = self.root / f"scenario-{number}.json", self.root / f"events-{number}.jsonl"
        path.write_text(json.dumps(act.scenario))
        self._made |= {path.name, events.name}
        members: dict[str, Json] = {"scenario": str(path), "folder": str(folder), "events": str(events)}
        if act.resume == "never":
            reply = self.talk.ask("run", members)
        else:
            if not self._is_fresh:
                self.talk.restart()
            resume = act.resume if act.resume == "auto" else str(folder / act.resume)
            reply = self.talk.ask("restore", members | {"resume": resume})
            self._is_fresh = True
        self._is_fresh = self._is_fresh and reply.kind == "error"  # what is refused carries out nothing
        return reply

    def _judge_reply(self, expected: Expected, reply: Reply) -> Judgement | None:
        if reply.kind == "unsupported" and expected.reply.get("reply") != "unsupported":
            return not_ok(reply)
        return judge_reply(expected.reply, reply)

    def _judge_events(self, expected: Expected, events: Sequence[Event]) -> Judgement | None:
        if expected.foretold is not None:
            return judge_events(expected.foretold.events, events)
        return judge_events([], events) if expected.reply.get("reply") == "error" else None

    def _judge_outside(self) -> Judgement | None:
        """Returns what the port made beside its folder.

        Spec: STORE-DIR-003.
        """
        strange = sorted(path.name for path in self.root.iterdir() if path.name not in self._made)
        strange = [name for name in strange if not name.startswith(INDEX)]
        return fail("the port made something outside the folder (STORE-DIR-003)", [], strange) if strange else None

    def _judge_saved(
        self, act: Act, expected: Expected, events: Sequence[Event], found: Contents, before: Contents
    ) -> Judgement | None:
        """Judges the files of an attempt, compressed ones by what they would be without.

        Spec: CPC-SET-007.
        """
        plain: Contents | Judgement = found
        if compressed.is_asked_for(*(one.scenario for one in self.script.attempts)):
            plain = compressed.uncompressed(found, before, is_asked=compressed.is_asked_for(act.scenario))
        return plain if isinstance(plain, Judgement) else self._judge_folder(act, expected, events, plain)

    def _judge_folder(self, act: Act, expected: Expected, events: Sequence[Event], found: Contents) -> Judgement | None:
        names = [with_run(self.root / act.folder, name) for name in names_of(expected, found)]
        wrong = judge_names(names, found, act.links, self._placed)
        if wrong is None and expected.foretold is not None:
            wrong = judge_files(expected.foretold.files, found, whole=self.script.profile == "resume")
        if wrong is None and not _saves_by_hand(act.scenario):
            wrong = judge_one_write(events, found)
        return wrong or judge_by_hand(expected, events, found) or _judge_holds(act.holds, found)

    def _judge_list(self, folder: Path, expected: Expected) -> Judgement | None:
        """Asks what lies in the folder, which is a matter of the profile `resume`.

        Spec: SCN-OP-005.
        """
        expect = expected.by_hand
        if self.script.profile != "resume":
            return None
        if expected.foretold is not None:
            return judge_list(expected.foretold, self.talk.ask("list", {"folder": str(folder)}))
        if expect is None or (expect.newest is None and expect.damaged is None):
            return None
        return judge_stated_list(expect, self.talk.ask("list", {"folder": str(folder)}))


def _do(folder: Path, damages: Sequence[Damage]) -> Judgement | None:
    """Damages a folder; what cannot be damaged is what the port was to leave there."""
    try:
        for damage in damages:
            do_damage(folder, damage)
    except (OSError, NoCheckpointError) as error:
        return fail("a file that the attempts before were to leave", "it is there, and whole", error)
    return None


def _saves_by_hand(scenario: Mapping[str, Json]) -> bool:
    """Whether a scenario has a manual save, of which the news may come late or never."""
    return "then" in scenario or '"do": "save"' in json.dumps(scenario)


def _judge_holds(holds: Sequence[Hold], found: Contents) -> Judgement | None:
    """Returns the first value that a file was to hold and does not."""
    for hold in holds:
        actual: Json = "absent"
        try:
            actual = Writer().tree(find(read(found.data[hold.name]), hold.path))
        except KeyError:
            return fail(f"{hold.name}: {hold.path}", hold.value, "no file")
        except NoCheckpointError as error:
            if hold.value != "absent":
                return fail(f"{hold.name}: {hold.path}", hold.value, error)
        if actual != hold.value:
            return Judgement(Verdict.FAIL, f"{hold.name}: {hold.path}", str(hold.value), str(actual))
    return None
