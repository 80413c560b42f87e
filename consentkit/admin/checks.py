"""What each check of `archive.health` is called.

Owns the names alone; how a thing stands, and the way out, is said by the check itself, in English: these sentences
name settings, files and commands, and are what is searched for in the documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentkit.web.texts import Catalogue


def check_names(say: Catalogue) -> dict[str, str]:
    """Return what each check is called, by its stable name."""
    return {**_of_places(say), **_of_servers(say), **_of_processes(say), **_of_records(say)}


def _of_places(say: Catalogue) -> dict[str, str]:
    return {
        "keys.secret": say.pgettext("check", "Secret of the keys"),
        "keys.device": say.pgettext("check", "Keys apart from the data"),
        "data.mode": say.pgettext("check", "Access to the data folder"),
        "data.state": say.pgettext("check", "Country where the data is kept"),
        "keys.mode": say.pgettext("check", "Access to the keys folder"),
        "disk.room": say.pgettext("check", "Free space"),
        "keys.rotation": say.pgettext("check", "Rotation of the keys"),
        "places.examination": say.pgettext("check", "Examination of folders and keys"),
    }


def _of_servers(say: Catalogue) -> dict[str, str]:
    of_each = {
        "answers": say.pgettext("check", "Database server answers"),
        "version": say.pgettext("check", "Version of the database server"),
        "tls": say.pgettext("check", "Connection to the database server"),
        "durable": say.pgettext("check", "What the database server has confirmed"),
        "clock": say.pgettext("check", "Clock of the database server"),
        "tables": say.pgettext("check", "Tables on the database server"),
        "rights": say.pgettext("check", "Rights on the database server"),
    }
    servers = {f"{kind}.{name}": text for kind in ("postgresql", "clickhouse") for name, text in of_each.items()}
    return {
        **servers,
        "hosts.leader": say.pgettext("check", "Host that leads"),
        "hosts.written": say.pgettext("check", "Hosts that store requests"),
        "hosts.keys": say.pgettext("check", "Keys folder of all hosts"),
        "periods.next": say.pgettext("check", "Next period"),
        "hosts.examination": say.pgettext("check", "Examination of the hosts"),
        "store.opened": say.pgettext("check", "Opening of the store"),
    }


def _of_processes(say: Catalogue) -> dict[str, str]:
    return {
        "site.workers": say.pgettext("check", "Workers of the site"),
        "site.version": say.pgettext("check", "Version"),
        "server.access_log": say.pgettext("check", "Other access logs"),
        "server.proxy_headers": say.pgettext("check", "Forwarding headers"),
        "log.ingester": say.pgettext("check", "Ingester"),
        "log.housekeeping": say.pgettext("check", "Housekeeping"),
        "log.lost": say.pgettext("check", "Lost records"),
        "log.sampled": say.pgettext("check", "Floods"),
        "log.unrecorded": say.pgettext("check", "Requests before the start"),
        "geo.database": say.pgettext("check", "Geo database"),
        "consent.encoded_pages": say.pgettext("check", "Pages without a banner"),
        "processes.examination": say.pgettext("check", "Examination of the processes"),
    }


def _of_records(say: Catalogue) -> dict[str, str]:
    return {
        "retention.overdue": say.pgettext("check", "Retention"),
        "retention.waiting": say.pgettext("check", "Periods that wait to be confirmed"),
        "periods.readable": say.pgettext("check", "Periods can be read"),
        "clock": say.pgettext("check", "Clock"),
        "log.spool": say.pgettext("check", "Spool"),
        "log.spool_keys": say.pgettext("check", "Keys of the spool"),
        "log.gaps": say.pgettext("check", "Gaps in the log"),
        "evidence.verified": say.pgettext("check", "Verification of the log"),
        "incident.review": say.pgettext("check", "Reviews of incidents"),
        "copies.due": say.pgettext("check", "Copies whose day has come"),
        "records.balancing": say.pgettext("check", "Balancing test"),
        "people.overdue": say.pgettext("check", "Requests of people"),
        "service.ended": say.pgettext("check", "End of the service"),
        "custody.examination": say.pgettext("check", "Examination of the periods"),
        "records.examination": say.pgettext("check", "Examination of the records"),
        "consent.examination": say.pgettext("check", "Examination of consent"),
        "consent.owed": say.pgettext("check", "Refusals that wait to be written"),
        "consent.unkept": say.pgettext("check", "Choices that could not be kept"),
        "consent.undeclared": say.pgettext("check", "Cookies that nobody declared"),
        "consent.undeletable": say.pgettext("check", "Cookies that come back"),
        "consent.unused": say.pgettext("check", "Declared cookies that are not met"),
    }
