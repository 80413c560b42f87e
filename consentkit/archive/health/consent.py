"""What the site does with cookies: none in use that nobody declared, and none declared that nobody uses."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from consentkit.archive.health.finding import Finding, Patient, bad, good, unknown
from consentkit.consent.inventory import read_inventory
from consentkit.consent.owed import FOLDER, waiting
from consentkit.consent.registry import Registry
from consentkit.consent.undeclared import undeclared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.consent.inventory import Inventory
    from consentkit.consent.undeclared import Undeclared

# One that was not met for so long is no longer set.
_PASSES_DAYS: Final = 7
_UNUSED_DAYS: Final = 30

_WAY_OUT: Final = "See `consentkit cookies seen`: it prints a declaration to paste for each."


def examine_consent(patient: Patient) -> Iterator[Finding]:
    """Yield what is found of cookies, and of choices that wait for the ledger."""
    yield _owed(patient)
    inventory = read_inventory(patient.settings.storage.directory)
    registry = Registry.build(patient.settings)
    if inventory.last is None:
        yield good("consent.undeclared", "No cookie was met yet.")
        return
    yield _undeclared(patient, undeclared(inventory, registry))
    yield _undeletable(patient, inventory)
    yield from _unused(inventory, registry)


def _owed(patient: Patient) -> Finding:
    check = "consent.owed"
    owed = len(waiting(patient.settings.storage.directory / FOLDER))
    if owed:
        text = f"Refusals that wait to be written into the ledger: {owed:,}."
        return bad(check, text, "They hold already; the site's log says why the ledger refuses.")
    return good(check, "No refusal waits to be written into the ledger.")


def _undeclared(patient: Patient, found: list[Undeclared]) -> Finding:
    check = "consent.undeclared"
    oldest = patient.today - timedelta(days=_PASSES_DAYS)
    now = [one for one in found if one.sighting.last >= oldest]
    by_app = sum(one.source == "server" for one in now)
    if by_app and patient.settings.consent.undeclared == "report":
        return bad(
            check,
            f"Set by the application and declared nowhere: {_counted(by_app)} in {_PASSES_DAYS} days.",
            _WAY_OUT,
        )
    if len(now) > by_app:
        # A sender invents any name, so this alone must not make a monitor ring.
        text = f"Sent by browsers of several networks and declared nowhere: {_counted(len(now) - by_app)}."
        return unknown(check, text, _WAY_OUT)
    if by_app:
        return unknown(
            check, f"Set by the application, declared nowhere and dropped: {_counted(by_app)}.", _WAY_OUT
        )
    return good(check, f"Every cookie met in {_PASSES_DAYS} days is declared.")


def _undeletable(patient: Patient, inventory: Inventory) -> Finding:
    check = "consent.undeletable"
    oldest = patient.today - timedelta(days=_PASSES_DAYS)
    stay = sum(sighting.last >= oldest for sighting in inventory.of("undeletable").values())
    if stay:
        text = f"Comes back after it was refused and expired in every form: {_counted(stay)}."
        return bad(check, text, "Declare its path and domain, or stop the script that sets it again.")
    return good(check, "What is refused and expired stays away.")


def _unused(inventory: Inventory, registry: Registry) -> Iterator[Finding]:
    if inventory.days < _UNUSED_DAYS:
        return
    own_site = [cookie for cookie in registry.cookies if not cookie.third_party and cookie.category != "necessary"]
    never = [cookie.name for cookie in own_site if inventory.last_of(cookie.name) is None]
    if never:
        shown = ", ".join(never[:5]) + ("" if len(never) <= 5 else f" and {len(never) - 5} more")
        yield unknown(
            "consent.unused",
            f"Declared and not met in {inventory.days} days of traffic: {shown}.",
            "Visitors are asked about them: take out what is no longer set.",
        )


def _counted(number: int) -> str:
    return "1 cookie" if number == 1 else f"{number:,} cookies"
