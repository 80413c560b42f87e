"""``consentkit cookies``: what is declared, what is really in use, and where the two differ.

Owns what is printed. The declarations are the registry's, the days the inventory's. Nothing here is about a
person, so no purpose is asked for. Names come from outside and are printed escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from consentkit.cli.options import config_option, json_option, load_settings, print_json
from consentkit.consent.catalogue import read_preset
from consentkit.consent.inventory import read_inventory
from consentkit.consent.registry import Registry
from consentkit.consent.undeclared import undeclared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from consentkit.consent.declared import DeclaredCookie
    from consentkit.consent.inventory import Inventory, Sighting
    from consentkit.consent.undeclared import Undeclared
    from consentkit.settings import Settings

_LONGEST: Final = 60

_SOURCES: Final = {
    "server": "set by the application",
    "browser": "only browsers send it: a script sets it, or another host of the domain",
}


@click.group()
def cookies() -> None:
    """Compare the cookies that are declared with those that are in use."""


@cookies.command("list")
@config_option
@json_option
def list_cookies(*, config: Path | None, as_json: bool) -> None:
    """List every declared cookie, and when it was last seen."""
    settings = load_settings(config).settings
    registry = Registry.build(settings)
    inventory = read_inventory(settings.storage.directory)
    origins = _origins(settings)
    found = [_declared_fields(cookie, settings, inventory, origins) for cookie in registry.cookies]
    if as_json:
        for fields in found:
            print_json(fields)
    else:
        _print_declared(found)


@cookies.command()
@config_option
@json_option
@click.option("--fail-on-undeclared", is_flag=True, help="Exit 1 if a cookie is in use that nobody declared.")
@click.pass_context
def seen(context: click.Context, *, config: Path | None, as_json: bool, fail_on_undeclared: bool) -> None:
    """Show cookies that nobody declared, with a declaration to paste, and what was kept from visitors.

    A cookie that the application sets is shown at once. One that only browsers send is shown when it came from
    three networks, or from this machine, since anyone can send any name.
    """
    settings = load_settings(config).settings
    inventory = read_inventory(settings.storage.directory)
    found = undeclared(inventory, Registry.build(settings))
    blocks = settings.consent.undeclared == "block"
    if as_json:
        for fields in _seen_fields(found, inventory):
            print_json(fields)
    else:
        _print_seen(found, inventory, blocks=blocks)
    if found and fail_on_undeclared:
        context.exit(1)


def escaped(name: str) -> str:
    """Return a name from outside so that it can't act on a terminal, and is not longer than a line."""
    text = "".join(char if char.isprintable() and char != "\\" else ascii(char)[1:-1] for char in name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _declared_fields(
    cookie: DeclaredCookie, settings: Settings, inventory: Inventory, origins: Mapping[str, str]
) -> dict[str, object]:
    last = inventory.last_of(cookie.name)
    own = (settings.consent.cookie, f"__Host-{settings.consent.cookie}", f"{settings.consent.cookie}_id")
    origin = f"service {cookie.service}" if cookie.service else origins.get(cookie.name, "site")
    language = settings.site.languages[0]
    return {
        "name": cookie.name,
        "category": cookie.category,
        "provider": cookie.provider,
        "purpose": cookie.purpose_for("en" if "en" in cookie.purpose else language),
        "lifetime_days": cookie.lifetime_days,
        "from": "consentkit" if cookie.name in own else origin,
        "third_party": cookie.third_party,
        "last_seen": None if last is None else last.isoformat(),
    }


def _origins(settings: Settings) -> dict[str, str]:
    """Return where each cookie by itself is declared: what the site writes counts before a preset."""
    found: dict[str, str] = {}
    for index, name in enumerate(settings.consent.presets):
        for cookie in read_preset(name, key=f"consent.presets[{index}]").cookies:
            found.setdefault(cookie.name, f"preset {name}")
    return {**found, **{cookie.name: "site" for cookie in settings.consent.cookies}}


def _print_declared(found: list[dict[str, object]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - --json and --help do without
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415 - what stands in a file must not become markup

    table = Table(
        "name", "category", "provider", "lives", "from", "last seen", "purpose", box=None, pad_edge=False
    )
    for fields in found:
        days = fields["lifetime_days"]
        lives = "session" if days is None else f"{days} days"
        met = "elsewhere" if fields["third_party"] else fields["last_seen"] or "never"
        cells = (fields["name"], fields["category"], fields["provider"], lives, fields["from"], met)
        table.add_row(*(Text(str(cell)) for cell in (*cells, fields["purpose"])))
    Console(soft_wrap=True).print(table)


def _seen_fields(found: list[Undeclared], inventory: Inventory) -> Iterator[dict[str, object]]:
    for one in found:
        known = {"known": one.known, "declaration": one.declaration}
        yield {"kind": "undeclared", "name": one.name, "source": one.source, **_days(one.sighting), **known}
    for kind in ("dropped", "undeletable", "blocked_hosts"):
        for name, sighting in sorted(inventory.of(kind).items()):
            yield {"kind": kind, "name": name, **_days(sighting)}


def _days(sighting: Sighting) -> dict[str, object]:
    return {"first": sighting.first.isoformat(), "last": sighting.last.isoformat(), "count": sighting.count}


def _print_seen(found: list[Undeclared], inventory: Inventory, *, blocks: bool) -> None:
    if inventory.last is None:
        click.echo("Nothing was seen yet: no worker has written what it met.")
        return
    click.echo(f"Seen on {_counted(inventory.days, 'day')}, last on {inventory.last} (UTC).")
    for one in found:
        click.echo(f"\n# {escaped(one.name)}: {_SOURCES[one.source]}; {_when(one.sighting)}")
        click.echo(one.declaration or "# (no settings can declare such a name)")
    if found:
        fate = "Those that the application sets are dropped" if blocks else "They pass without consent"
        click.echo(
            f"{_counted(len(found), 'cookie')} in use that nobody declared. {fate}; paste the declarations."
        )
    else:
        click.echo("Every cookie in use is declared.")
    _print_kind("Kept from visitors who have not agreed", inventory.of("dropped"))
    _print_kind("Can't be deleted: they come back after they were expired", inventory.of("undeletable"))
    _print_kind("Hosts that the policy kept pages from", inventory.of("blocked_hosts"))


def _print_kind(heading: str, found: Mapping[str, Sighting]) -> None:
    if found:
        click.echo(f"\n{heading}:")
    for name, sighting in sorted(found.items()):
        click.echo(f"  {escaped(name)}  {_when(sighting)}")


def _when(sighting: Sighting) -> str:
    return f"{_counted(sighting.count, 'time')}, {sighting.first} to {sighting.last}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
