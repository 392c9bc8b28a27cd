"""A badge of a run: the greatest profile that a port claims, and what has come of the claim.

Spec: CONF-VERDICT-004, CONF-PROF-002.
"""

import json
from html import escape

from attrs import frozen

from tenuto.conformance_tests.awards import is_failure
from tenuto.conformance_tests.port import included
from tenuto.conformance_tests.record import Run

_GREEN, _YELLOW, _RED = "#2a7d3f", "#8a6100", "#b3261e"
_CHARACTER = 6.6  # mean width in Verdana at 11 px, generous
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {message}">
<title>{label}: {message}</title>
<clipPath id="round"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#round)"><rect width="{split}" height="20" fill="#444"/>
<rect x="{split}" width="{rest}" height="20" fill="{color}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{left}" y="14">{label}</text><text x="{right}" y="14">{message}</text></g>
</svg>
"""


@frozen
class Badge:
    """What a badge says.

    Attributes:
        label: the specification with its version, and the profile.
        message: `pass`, `fails N`, `withheld N` for requirements without a case, or `not run`.
        color: of the message.
    """

    label: str
    message: str
    color: str


def badge(run: Run) -> Badge:
    """The badge of a run, for the greatest profile that the port claims."""
    if not run.claims:
        return Badge(f"tenuto {run.spec}", "no profile", _YELLOW)
    profile = max(run.claims, key=lambda name: (len(included(name)), name))
    label = f"tenuto {run.spec} {profile}"
    failures = sum(is_failure(judged.verdict) for judged in run.judged if judged.profile in included(profile))
    if failures:
        return Badge(label, f"fails {failures}", _RED)
    if profile in run.awarded:
        return Badge(label, "pass", _GREEN)
    holes = len(run.withheld.get(profile, ()))
    return Badge(label, f"withheld {holes}" if holes else "not run", _YELLOW)


def badge_svg(shown: Badge) -> str:
    """The badge as a picture that needs nothing from elsewhere."""
    split, rest = (round(len(text) * _CHARACTER) + 12 for text in (shown.label, shown.message))
    sizes = {"width": split + rest, "split": split, "rest": rest, "left": split / 2, "right": split + rest / 2}
    return _SVG.format(label=escape(shown.label), message=escape(shown.message), color=shown.color, **sizes)


def badge_json(shown: Badge) -> str:
    """The badge in the form that services that draw badges read."""
    told = {"schemaVersion": 1, "label": shown.label, "message": shown.message, "color": shown.color.lstrip("#")}
    return json.dumps(told, indent=2) + "\n"
