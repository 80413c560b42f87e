"""The receipt as a page: what is kept of this visitor's choices, in his language.

Owns its view. The record is `consent.receipt`'s; a snapshot is shown in the language in which it was.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from consentkit.consent.shown import ShownText
from consentkit.visitor import wording
from consentkit.web.cldr import write_date

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.consent.receipt import Record
    from consentkit.consent.registry import Registry
    from consentkit.consent.statement import Statement
    from consentkit.visitor.shell import Shell
    from consentkit.web.texts import Catalogue


class DecisionView(msgspec.Struct, frozen=True):
    """One decision, in words.

    Attributes:
        number: in the ledger.
        time: date and time of day, UTC.
        granted, denied: category and service names as one phrase; empty = none.
        method: how it was given.
        language: in which it was, named in itself where the site has it.
    """

    number: int
    time: str
    granted: str
    denied: str
    method: str
    language: str


class ReceiptView(msgspec.Struct, frozen=True):
    """Give ``receipt.html`` its own part.

    Attributes:
        decisions: newest first; empty = nothing is kept.
        consent_id: the visitor's.
        installation: the site's.
        left_out: older decisions are not listed.
        texts: what was shown, one a wording, newest first.
        file_url: the signed file.
        keys_url: what it is checked against.
    """

    decisions: tuple[DecisionView, ...]
    consent_id: str
    installation: str
    left_out: bool
    texts: tuple[ShownText, ...]
    file_url: str
    keys_url: str


class ReceiptPage:
    """Render the receipt.

    Args:
        shell: the frame, with the catalogues.
        registry: names services.
        mount: path of our pages, without the root path.
    """

    def __init__(self, shell: Shell, registry: Registry, *, mount: str) -> None:
        self._shell = shell
        self._registry = registry
        self._mount = mount

    def render_receipt(self, language: str, *, record: Record | None, next_url: str, mount_path: str) -> str:
        """Return the page.

        Args:
            language: one of the site's; another gets the default.
            record: what is kept; None = nothing.
            next_url: where the visitor came from; a path on this site, checked by the caller.
            mount_path: path of our pages, root path included.
        """
        say = self._shell.texts[language]
        statements = [each.statement for each in record.decisions][::-1] if record else []
        view = ReceiptView(
            decisions=tuple(self._decision(each, say) for each in statements),
            consent_id=record.consent_id if record else "",
            installation=record.site.installation if record else "",
            left_out=bool(record and record.left_out),
            texts=_texts(record, statements) if record else (),
            file_url=f"{mount_path}/receipt.json",
            keys_url=f"{mount_path}/keys.json",
        )
        root_path = mount_path.removesuffix(self._mount)
        return self._shell.render(
            "receipt.html", language, page="/receipt", next_url=next_url, root_path=root_path, view=view
        )

    def _decision(self, statement: Statement, say: Catalogue) -> DecisionView:
        return DecisionView(
            number=statement.number,
            time=_time(statement.time, say.language),
            granted=self._named(statement.granted, say),
            denied=self._named(statement.denied, say),
            method=_method(statement.method, say),
            language=self._language(statement.locale),
        )

    def _named(self, names: Sequence[str], say: Catalogue) -> str:
        return say.join([self._name(name, say) for name in names])

    def _name(self, name: str, say: Catalogue) -> str:
        if not name.startswith("+"):
            return wording.category_name(say, name)
        service = self._registry.service(name[1:])
        return service.name if service is not None else name[1:]

    def _language(self, tag: str) -> str:
        if tag not in self._shell.texts.languages:
            return tag
        return self._shell.texts[tag].pgettext("this language", "English")


def _texts(record: Record, statements: Sequence[Statement]) -> tuple[ShownText, ...]:
    wanted = dict.fromkeys(statement.text_hash for statement in statements)
    return tuple(msgspec.convert(record.texts[name], ShownText) for name in wanted if name in record.texts)


def _time(text: str, language: str) -> str:
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    return f"{write_date(moment.date(), language)}, {moment:%H:%M} UTC"


def _method(method: str, say: Catalogue) -> str:
    return {
        "banner": say.pgettext("how a choice was given", "in the banner"),
        "settings": say.pgettext("how a choice was given", "in the settings"),
        "withdrawal": say.pgettext("how a choice was given", "withdrawn"),
        "embed": say.pgettext("how a choice was given", "at a piece of content"),
        "api": say.pgettext("how a choice was given", "by a script of the site"),
    }.get(method, method)
