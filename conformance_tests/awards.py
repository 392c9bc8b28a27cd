"""What a run comes to: counts, the profiles that are awarded, and the exit code.

Spec: CONF-VERDICT-002, CONF-VERDICT-003, CONF-VERDICT-004, CONF-PROF-002.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from tenuto.conformance_tests.cases import Case
from tenuto.conformance_tests.coverage import uncovered
from tenuto.conformance_tests.entries import Entry
from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.port import Port, included
from tenuto.conformance_tests.results import Result

NEITHER = frozenset({Verdict.NOT_CLAIMED, Verdict.XFAIL})


def is_failure(verdict: Verdict) -> bool:
    """Whether a verdict counts against the port, or against the suite."""
    return verdict not in NEITHER | {Verdict.PASS}


@frozen
class Award:
    """What a claim of a profile has come to.

    Attributes:
        failures: how many cases of it, and of the profiles that it includes, count against the port.
        complete: whether each scored case of the suite passed and one of its own was run.
        without: the requirements of it that no case shows.
    """

    failures: int
    complete: bool
    without: tuple[str, ...]

    @property
    def given(self) -> bool:
        """Whether it is awarded."""
        return self.complete and not self.without

    def __str__(self) -> str:
        """In words."""
        if self.failures or not self.complete:
            return "no" if self.failures else "no, not all of it was run"
        if not self.without:
            return "yes"
        some = "1 requirement" if len(self.without) == 1 else f"{len(self.without)} requirements"
        return f"withheld: {some} without a case"


@frozen
class Summary:
    """A run as a whole.

    Attributes:
        counts: verdict -> how many cases have it.
        awards: claimed profile -> what has come of the claim.
        exit_code: the exit code of the runner.
        idle: entries of the baseline that name no case that the port is judged by.
        noise: how many lines on stdout were no replies.
    """

    counts: Mapping[str, int]
    awards: Mapping[str, Award]
    exit_code: int
    idle: tuple[str, ...] = ()
    noise: int = 0

    def footer(self) -> dict[str, object]:
        """The members of the footer of the results."""
        return {
            "counts": dict(self.counts),
            "awarded": [profile for profile, award in self.awards.items() if award.given],
            "withheld": {profile: award.without for profile, award in self.awards.items() if award.without},
            "idle": self.idle,
            "noise": self.noise,
            "exit_code": self.exit_code,
        }


def exit_code(results: Sequence[Result], idle: Sequence[str] = ()) -> int:
    """0 only if something was run, all of it passed or is known to fail, and nothing is known that is not there.

    Spec: CONF-VERDICT-002, CONF-VERDICT-003.
    """
    verdicts = {result.verdict for result in results} - NEITHER
    if Verdict.SUITE_ERROR in verdicts:
        return 3
    return 0 if verdicts == {Verdict.PASS} and not idle else 1


def awards(
    port: Port, every_case: Sequence[Case], results: Sequence[Result], registered: Iterable[Entry]
) -> dict[str, Award]:
    """What has come of each claim, by all cases of the whole suite.

    Spec: CONF-VERDICT-004, CONF-PROF-001, CONF-PROF-002.
    """
    passed = {result.case.id for result in results if result.verdict is Verdict.PASS}
    entries = tuple(registered)
    found = {}
    for profile in sorted(port.claimed(), key=lambda name: (len(included(name)), name)):
        profiles = included(profile)
        scored = {case.id for case in every_case if case.profile in profiles and case.is_claimed(port)}
        own = {case.id for case in every_case if case.profile == profile}
        failures = sum(is_failure(result.verdict) for result in results if result.case.profile in profiles)
        complete = bool(own & passed) and scored <= passed
        found[profile] = Award(failures, complete, uncovered(profile, entries, every_case))
    return found


def summarize(
    port: Port,
    every_case: Sequence[Case],
    results: Sequence[Result],
    registered: Iterable[Entry],
    *,
    idle: tuple[str, ...] = (),
    noise: int = 0,
) -> Summary:
    """The counts, the awards and the exit code of a run."""
    counts = Counter(str(result.verdict) for result in results)
    given = awards(port, every_case, results, registered)
    return Summary(dict(sorted(counts.items())), given, exit_code(results, idle), idle, noise)
