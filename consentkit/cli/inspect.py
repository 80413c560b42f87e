"""``consentkit inspect``: visit the site as a regulator would, and write a dated report.

Owns the options, the order of the visits and what is printed. The visiting and the judging are `inspection`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import secrets
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click
import msgspec

from consentkit.cli.cookies import escaped
from consentkit.cli.options import DEFAULT_FILE, config_option, json_option, load_settings, print_json
from consentkit.consent.registry import Registry
from consentkit.inspection import VISITORS, InspectionError, Visitor, Walk
from consentkit.inspection.browsing import Chromium, Plan
from consentkit.inspection.calling import Application
from consentkit.inspection.findings import Declarations, judge
from consentkit.inspection.report import VISITOR_WORDS, Report, rows_of, write_report
from consentkit.settings import read_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from consentkit.inspection.findings import Finding
    from consentkit.settings import Settings

# No server is asked: a name for the application to see, over https so that its cookies' prefixes hold.
_APPLICATION_URL: Final = "https://localhost/"


@click.command()
@click.argument("url", required=False)
@config_option
@json_option
@click.option("--app", "application", metavar="MODULE:NAME", help="Visit this application without a browser.")
@click.option(
    "--pages", type=click.IntRange(1, 50), default=5, show_default=True, help="How many pages each visits."
)
@click.option(
    "--browser", "executable", type=click.Path(), default="", metavar="PATH", help="The Chromium to use."
)
@click.option(
    "--timeout", type=click.FloatRange(5, 3600), default=180, show_default=True, help="Seconds for everything."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="Where the report goes.  [default: inspect-YYYY-MM-DD.html here]",
)
@click.pass_context
def inspect(
    context: click.Context,
    *,
    url: str | None,
    config: Path | None,
    as_json: bool,
    application: str | None,
    pages: int,
    executable: str,
    timeout: float,
    output: Path | None,
) -> None:
    """Visit a site as an undecided, a refusing, a withdrawn and a GPC visitor, and as one who accepts.

    URL is the first page; with --app, the address that the application believes to have, where that
    matters to it. Without settings, as for a site of others, all that appears is listed and nothing is
    judged. Exit 1 where something appears that was not agreed to.
    """
    if url is None and application is None:
        raise click.UsageError("Give the URL of the site, or --app MODULE:NAME.")
    first = _checked_url(url) if url else _APPLICATION_URL
    settings = load_settings(config).settings
    is_judged = config is not None or Path(DEFAULT_FILE).exists()
    own = (settings.consent.cookie_domain if is_judged else "") or urlsplit(first).hostname or ""
    declared = Declarations(Registry.build(settings), own, settings.consent.csp_hosts) if is_judged else None
    plan = Plan(first, pages, own, settings.site.mount, time.monotonic() + timeout)
    with _progress(as_json=as_json) as tell:
        if application:
            walks, browser = asyncio.run(_call(application, config, plan, tell)), ""
        else:
            walks, browser = _drive(executable, plan, tell)
    report = _report(walks, declared, settings, plan, browser=browser)
    now = datetime.now(UTC).date()
    from consentkit.web.assets import find_folder  # noqa: PLC0415 - with the report alone

    page, _ = write_report(report, find_folder("templates"), output=output, today=now)
    _print(report, page, as_json=as_json)
    if report.findings:
        context.exit(1)


def _drive(executable: str, plan: Plan, tell: Callable[[Visitor], None]) -> tuple[list[Walk], str]:
    walks = []
    with Chromium(executable) as chromium:
        for visitor in VISITORS:
            tell(visitor)
            walks.append(chromium.walk(visitor, plan))
        return walks, chromium.version


async def _call(name: str, config: Path | None, plan: Plan, tell: Callable[[Visitor], None]) -> list[Walk]:
    with tempfile.TemporaryDirectory(prefix="consentkit-inspect-") as folder:
        async with Application(_import(name, config, Path(folder))) as running:
            walks = []
            for visitor in VISITORS:
                tell(visitor)
                walks.append(await running.walk(visitor, plan))
            return walks


def _import(name: str, config: Path | None, folder: Path) -> ASGIApp:
    """Import the application with storage of its own, so that these visits leave nothing in the site's log."""
    os.environ["CONSENTKIT_STORAGE_DIRECTORY"] = str(folder / "data")
    os.environ["CONSENTKIT_STORAGE_KEYS"] = str(folder / "keys")
    os.environ["CONSENTKIT_REQUESTLOG_INGEST"] = "external"
    if not read_secrets(os.environ):
        os.environ["CONSENTKIT_SECRET"] = secrets.token_urlsafe()
    if config is not None:
        os.environ["CONSENTKIT_CONFIG"] = str(config)
    sys.path.insert(0, str(Path.cwd()))
    module, _, attribute = name.partition(":")
    try:
        found: ASGIApp = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as exc:
        raise InspectionError(f"no application is called {name!r}: give it as module:name") from exc
    return found


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and not parts.username:
            return url if parts.path else f"{url}/"
    except ValueError:
        pass  # told below, as any other text that is no address
    raise click.UsageError("URL must be an address of a page, as https://www.example.com/")


def _report(
    walks: list[Walk], declared: Declarations | None, settings: Settings, plan: Plan, *, browser: str
) -> Report:
    parts = urlsplit(plan.url)
    findings: list[Finding] = judge(walks, declared) if declared else []
    return Report(
        made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        site=f"{parts.scheme}://{parts.netloc}{parts.path}",
        operator=settings.site.operator if declared else "",
        means="browser" if browser else "application",
        browser=browser,
        version=version("consentkit"),
        is_judged=declared is not None,
        findings=tuple(findings),
        rows=rows_of(walks, declared),
        walks=tuple(walks),
    )


def _print(report: Report, page: Path, *, as_json: bool) -> None:
    if as_json:
        for finding in report.findings:
            print_json(msgspec.structs.asdict(finding))
        return
    for walk in report.walks:
        counts = f"{len(walk.cookies)} cookies, {len(walk.storage)} keys, {len(walk.hosts)} other hosts"
        click.echo(f"{VISITOR_WORDS[walk.visitor]:<30}{counts} on {len(walk.pages)} pages")
        if not report.is_judged:
            for fault in walk.faults:
                click.echo(f"  {fault}", err=True)
    for finding in report.findings:
        name = f"{escaped(finding.what)} ({escaped(finding.where)}) " if finding.what else ""
        click.secho(f"BAD  {name}{finding.text}  [{_whom(finding)}]", fg="red")
    if not report.is_judged:
        click.echo("No settings were given, so nothing is judged; name them with --config.")
    elif not report.findings:
        click.echo("Nothing appeared that was not agreed to.")
    click.echo(f"The report: {page}")


def _whom(finding: Finding) -> str:
    return "every visitor" if len(finding.visitors) == len(VISITORS) else ", ".join(finding.visitors)


@contextlib.contextmanager
def _progress(*, as_json: bool) -> Iterator[Callable[[Visitor], None]]:
    """Show on a terminal who visits; each takes some seconds."""
    if as_json or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - most runs have no terminal
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(VISITORS))
        yield lambda visitor: progress.update(task, advance=1, description=VISITOR_WORDS[visitor])
