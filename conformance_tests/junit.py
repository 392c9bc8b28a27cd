"""The results of a run as JUnit XML, which every system of continuous integration shows.

The name of a case is the same for every port, so the files of several ports line up.

Spec: sections 5 and 8 of 90-conformance.md, CONF-VERDICT-002.
"""

import re
from xml.etree import ElementTree

from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.record import Judged, Run

_ERRORS = {Verdict.CRASH, Verdict.TIMEOUT, Verdict.UNCOVERED, Verdict.SUITE_ERROR}
_SKIPPED = {Verdict.NOT_CLAIMED, Verdict.XFAIL}
# XML 1.0 has no way to write these, and a port may say anything.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_text(run: Run) -> str:
    """The whole file, ended by one line feed."""
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", _attributes(run))
    properties = ElementTree.SubElement(suite, "properties")
    told = {"spec": run.spec, "suite": run.suite, "port": f"{run.name} {run.version}"}
    for name, value in {**told, "awarded": " ".join(run.awarded)}.items():
        ElementTree.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    for judged in run.judged:
        suite.append(_case(run, judged))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _attributes(run: Run) -> dict[str, str]:
    kinds = [_kind(judged.verdict) for judged in run.judged]
    return {
        "name": f"tenuto.{run.name}",
        "tests": str(len(kinds)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": f"{sum(judged.seconds for judged in run.judged):.3f}",
    }


def _case(run: Run, judged: Judged) -> ElementTree.Element:
    profile = judged.profile.replace(":", "-")
    told = {"classname": f"tenuto.{profile}.{run.name}", "name": judged.case, "time": f"{judged.seconds:.6f}"}
    case = ElementTree.Element("testcase", told)
    properties = ElementTree.SubElement(case, "properties")
    for identity in judged.req:
        ElementTree.SubElement(properties, "property", {"name": "requirement", "value": identity})
    if kind := _kind(judged.verdict):
        told = {"type": str(judged.verdict), "message": _clean(judged.detail or judged.verdict)}
        outcome = ElementTree.SubElement(case, kind, told)
        if kind != "skipped":
            outcome.text = _clean(f"expected: {judged.expected}\ngot:      {judged.actual}\nagain: {judged.repro}")
    return case


def _kind(verdict: Verdict) -> str:
    """The element that JUnit has for a verdict; none for a pass."""
    if verdict is Verdict.PASS:
        return ""
    return "skipped" if verdict in _SKIPPED else "error" if verdict in _ERRORS else "failure"


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
