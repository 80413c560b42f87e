"""An answer as it came in, and the words of the forms in which visitors choose.

Owns which of them are known. Reading a form is ``web.forms``', what an answer means `change`'s.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from consentkit.consent.decision import Method
from consentkit.web.forms import BadForm

Answer: TypeAlias = Literal["accept", "reject", "save"]


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it came in.

    Attributes:
        answer: the button.
        ticked: categories ticked, for ``save``.
        unticked: categories refused by name, where the rest is kept.
        keeps: with ``save``, what is not named stays as it is: granted, denied or undecided.
        service: id of a service to allow by itself, with ``save``; empty = none.
        removed: id of a service that is no longer allowed by itself; empty = none.
        method: where it was given.
        locale: language in which it was asked.
        is_scripted: a script sent it.
        host: of the request, for deleting cookies.
        address: of the client, for counting grants; kept in memory for a minute.
        id_path: path of the id cookie.
        once: the form's own value, as it came; hostile.
    """

    answer: Answer
    ticked: frozenset[str]
    method: Method
    locale: str
    is_scripted: bool
    host: str
    address: str
    id_path: str
    once: str = ""
    unticked: frozenset[str] = frozenset()
    keeps: bool = False
    service: str = ""
    removed: str = ""


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
