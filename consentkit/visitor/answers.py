"""The words of the forms in which visitors choose.

Owns which of them are known. Reading a form is ``web.forms``', what an answer means `desk`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.web.forms import BadForm

if TYPE_CHECKING:
    from consentkit.consent.decision import Method
    from consentkit.visitor.desk import Answer


def answer_of(text: str) -> Answer:
    """Return which button was pressed; BadForm for any other word."""
    match text:
        case "accept" | "reject" | "save":
            return text
        case _:
            raise BadForm(400)


def method_of(text: str) -> Method:
    """Return where an answer was given, as the form says; the page of a site's own script says nothing."""
    match text:
        case "banner" | "settings" | "embed":
            return text
        case _:
            return "api"
