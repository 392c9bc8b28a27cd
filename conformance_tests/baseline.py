"""Known failures of a port: a file beside `port.toml` that keeps a failing run useful and never buys a profile.

A case that it names is still run. It is `XFAIL` while it fails as the file says, `XPASS` once it passes, and keeps its
verdict if it fails in another way.

Spec: section 5 of 90-conformance.md (`XFAIL`, `XPASS`), CONF-VERDICT-003, CONF-VERDICT-004.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

import yaml
from attrs import Factory, frozen

from tenuto.conformance_tests.again import may_be_asked_again
from tenuto.conformance_tests.cases import Case
from tenuto.conformance_tests.entries import safe_load
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.port import Port

NAME = "conformance-baseline.yaml"
MATCHES_MAX = 20
_KEYS = {"reason", "verdict", "code", "expires"}


class BaselineError(Exception):
    """A baseline that the runner refuses; the message names the entry."""


@frozen
class Known:
    """One entry.

    Attributes:
        pattern: an id of a case, or a pattern of several.
        reason: why it fails, for a person.
        verdict: how it fails.
        code: a code that stands in what the port answered; empty for any.
        expires: the first day on which it is an ordinary failure again.
    """

    pattern: str
    reason: str
    verdict: Verdict
    code: str = ""
    expires: date | None = None

    def judge(self, judgement: Judgement, today: date) -> Judgement:
        """The judgement of a case that this entry names."""
        if judgement.verdict is Verdict.PASS:
            detail = f"it passes now; expected it to fail, as {NAME} says: {self.reason}"
            return Judgement(Verdict.XPASS, detail, str(self.verdict), "PASS")
        if not may_be_asked_again(judgement):
            return judgement
        told = (judgement.expected, judgement.actual)
        if self.expires is not None and today >= self.expires:
            return Judgement(judgement.verdict, f"known until {self.expires}; {judgement.detail}", *told)
        same_code = not self.code or re.search(rf"\b{re.escape(self.code)}\b", judgement.actual)
        if judgement.verdict is self.verdict and same_code:
            return Judgement(Verdict.XFAIL, f"known: {self.reason}; {judgement.detail}", *told)
        known = f"{self.verdict} {self.code}".rstrip()
        return Judgement(judgement.verdict, f"known to fail with {known}, now otherwise; {judgement.detail}", *told)


@frozen
class Baseline:
    """The known failures of a port.

    Attributes:
        entries: id of a case -> what is known of it.
        idle: patterns that name no case that the port is judged by; they fail the run.
    """

    entries: Mapping[str, Known] = Factory(dict)
    idle: tuple[str, ...] = ()

    def judge(self, case: Case, judgement: Judgement, today: date) -> Judgement:
        """The judgement of a case in the light of what is known of it."""
        known = self.entries.get(case.id)
        return judgement if known is None else known.judge(judgement, today)


def read_baseline(port: Port, every_case: Sequence[Case]) -> Baseline:
    """Read the file beside `port.toml`; a port without one has no known failures.

    Raises:
        BaselineError: It is no map of entries of this form, a pattern matches more than 20 cases, or two name one.
    """
    path = port.folder / NAME
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Baseline()
    except (OSError, UnicodeDecodeError) as error:
        raise BaselineError(f"{path}: {error}; expected a readable {NAME}") from error
    known = [_known(pattern, fields) for pattern, fields in _table(text).items()]
    entries: dict[str, Known] = {}
    idle = []
    for one in known:
        matched = [case for case in every_case if fnmatchcase(case.id, one.pattern)]
        if len(matched) > MATCHES_MAX:
            raise BaselineError(f"{NAME}, {one.pattern}: {len(matched)} cases; expected at most {MATCHES_MAX}")
        if not any(case.is_claimed(port) for case in matched):
            idle.append(one.pattern)
        for case in matched:
            if case.id in entries:
                raise BaselineError(f"{NAME}, {one.pattern}: {case.id} is named by {entries[case.id].pattern} already")
            entries[case.id] = one
    return Baseline(entries, tuple(idle))


def _table(text: str) -> dict[str, Any]:
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        table = safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # a date that is none is a ValueError
        raise BaselineError(f"{NAME}: {error}; expected YAML") from error
    if table is None:
        return {}
    if not isinstance(table, dict) or not isinstance(root, yaml.MappingNode):
        raise BaselineError(f"{NAME}: {type(table).__name__}; expected a map of ids of cases")
    if len(root.value) != len(table):
        raise BaselineError(f"{NAME}: {len(root.value)} entries, some with the same id; expected each id once")
    return table


def _known(pattern: object, fields: object) -> Known:
    where = f"{NAME}, {pattern}"
    if not isinstance(fields, dict) or not set(fields) <= _KEYS or not {"verdict", "code"} & set(fields):
        raise BaselineError(f"{where}: {fields!r}; expected reason, verdict or code, and expires if wanted")
    reason, code, expires = fields.get("reason"), fields.get("code", ""), fields.get("expires")
    verdict = fields.get("verdict", "FAIL")
    rules = [
        ("reason", isinstance(reason, str) and reason.strip(), "a text"),
        ("code", isinstance(code, str), "a code"),
        ("expires", expires is None or type(expires) is date, "a day such as 2027-01-31"),
        ("verdict", verdict in Verdict.__members__ and may_be_asked_again(Judgement(Verdict(verdict))), "a failure"),
    ]
    for key, holds, rule in rules:
        if not holds:
            raise BaselineError(f"{where}: {key} is {fields.get(key)!r}; expected {rule}")
    return Known(str(pattern), str(reason), Verdict(verdict), code, expires)
