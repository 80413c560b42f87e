"""Whether all is well: what `consentkit doctor` finds, and the figures beside it.

Owns how findings are put in order for a person: what is wrong first; and who is told where the database servers
are. What is looked at is the archive's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin.answer import Answer, Entry, Page
from consentkit.admin.checks import check_names
from consentkit.admin.checkup import checkup, without_places
from consentkit.admin.figures import Figures, figures
from consentkit.admin.visit import Route, Visit

if TYPE_CHECKING:
    from consentkit.archive.health import Finding, Level
    from consentkit.web.texts import Catalogue

_ORDER: Final[tuple[Level, ...]] = ("bad", "unknown", "good")


class FindingView(msgspec.Struct, frozen=True, kw_only=True):
    """One finding.

    Attributes:
        check: its stable name, as monitoring has it.
        title: what was looked at.
        text, way_out: how it stands and what to do, in English.
    """

    check: str
    title: str
    text: str
    way_out: str


class HealthView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``health.html`` is given. Times are microseconds since 1970 UTC.

    Attributes:
        made_us: when the examination was made.
        age_seconds: how long ago that is.
        bad, unknown, good: findings.
        figures: of this moment.
        is_english: the reader's language is that of the findings' sentences.
    """

    made_us: int
    age_seconds: float
    bad: tuple[FindingView, ...]
    unknown: tuple[FindingView, ...]
    good: tuple[FindingView, ...]
    figures: Figures
    is_english: bool


async def get_health(visit: Visit) -> Answer:
    """Show the examination, made anew where the last one is old."""
    examined = await visit.work(checkup, visit.office)
    now = await visit.work(figures, visit.office)
    is_told_all = visit.entrant.may("health.servers")
    findings = examined.findings if is_told_all else without_places(visit.office.settings, examined)
    bad, unknown, good = (
        tuple(_view(visit.say, one) for one in findings if one.level == level) for level in _ORDER
    )
    view = HealthView(
        made_us=examined.made_us,
        age_seconds=max(time.time() - examined.made_us / 1e6, 0.0),
        bad=bad,
        unknown=unknown,
        good=good,
        figures=now,
        is_english=visit.say.language.startswith("en"),
    )
    return Page(template="health.html", view=view, entry=Entry(action="admin.health"))


def _view(say: Catalogue, finding: Finding) -> FindingView:
    title = check_names(say).get(finding.check, finding.check)
    return FindingView(check=finding.check, title=title, text=finding.text, way_out=finding.way_out)


ROUTES: Final = (Route(path="/health", action="health.view", handler=get_health),)
