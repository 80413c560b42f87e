"""The commands that begin: ``init`` writes a settings file, ``check`` says what one means."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import click

from consentkit.cli.explain import explain
from consentkit.cli.options import DEFAULT_FILE, config_option, json_option, load_settings, print_json
from consentkit.cli.starter import starter_text
from consentkit.consent.registry import Registry
from consentkit.errors import StorageError
from consentkit.settings import Settings, read_secrets

_SECRET = "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"  # noqa: S105 - a command that makes one


@click.command
@config_option
@json_option
@click.option("--operator", help="Who runs the site, as visitors are told.")
@click.option("--contact", help="Where visitors ask about their data.")
@click.option("--language", "languages", multiple=True, help="Of the site; may be repeated, the default first.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def init(
    *,
    config: Path | None,
    as_json: bool,
    operator: str | None,
    contact: str | None,
    languages: tuple[str, ...],
    force: bool,
) -> None:
    """Write a commented consentkit.toml to begin with.

    Asks for what no option gives when a person is there to answer.
    """
    file = config or Path(DEFAULT_FILE)
    _refuse_existing(file, force=force)
    asks = sys.stdin.isatty() and not as_json
    text = starter_text(
        operator=_answer(operator, "Who runs the site", asks=asks),
        contact=_answer(contact, "Contact for questions about data", asks=asks),
        languages=languages or _ask_languages(asks=asks),
    )
    Settings.from_mapping(tomllib.loads(text), base=file.absolute().parent, source="your answers")
    _write(file, text, force=force)
    steps = _next_steps(file)
    if as_json:
        print_json({"written": str(file), "next": steps})
    else:
        click.echo("\n".join((f"Wrote {file}. Next:", "", *steps)))


@click.command
@config_option
@json_option
def check(*, config: Path | None, as_json: bool) -> None:
    """Check the settings and say what they mean.

    Nothing is written, opened or started. Warnings do not change the exit code.
    """
    settings, file = load_settings(config)
    report = explain(settings, Registry.build(settings), has_secret=bool(read_secrets()))
    if as_json:
        print_json({"kind": "settings", "file": None if file is None else str(file)})
        for fact in report.facts:
            print_json({"kind": "fact", "name": fact.name, "value": fact.value})
        for cookie in report.cookies:
            print_json({"kind": "cookie", **cookie})
        for warning in report.warnings:
            print_json({"kind": "warning", "key": warning.name, "text": warning.value})
        return
    click.echo(f"{file}: good" if file else f"No {DEFAULT_FILE} here: these are the built-in defaults.")
    for fact in report.facts:
        click.echo(f"  {fact.name:<12} {fact.value}")
    click.echo(f"  {'cookies':<12} {len(report.cookies)} declared")
    for cookie in report.cookies:
        click.echo(f"    {cookie['name']:<24} {cookie['category']:<12} {cookie['lifetime']}")
    for warning in report.warnings:
        click.secho(f"warning: {warning.name}: {warning.value}", fg="yellow")


def _answer(given: str | None, question: str, *, asks: bool) -> str:
    if given is not None or not asks:
        return given or ""
    return str(click.prompt(question, default="", show_default=False)).strip()


def _ask_languages(*, asks: bool) -> tuple[str, ...]:
    default = ",".join(Settings().site.languages)
    answer = str(click.prompt("Languages, the default first", default=default)) if asks else default
    return tuple(tag.strip() for tag in answer.split(",") if tag.strip())


def _refuse_existing(file: Path, *, force: bool) -> None:
    if file.exists() and not force:
        raise StorageError(str(file), "is there already; --force overwrites it")


def _write(file: Path, text: str, *, force: bool) -> None:
    """Write the file whole or not at all; without force, never over one that appeared meanwhile."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(beside if force else file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor has no path
            stream.write(text)
        if force:
            beside.replace(file)
    except FileExistsError:
        raise StorageError(str(file), "is there already; --force overwrites it") from None
    except OSError as error:
        raise StorageError(str(file), f"can't be written ({error.strerror})") from error


def _next_steps(file: Path) -> list[str]:
    return [
        f'1. Make a secret, for the server and for commands:  export CONSENTKIT_SECRET="$({_SECRET})"',
        "   Keep it, but in no repository: without it nothing that was stored can be read.",
        f'2. Wrap your application:  app = ConsentKit("{file}").wrap(app)',
        f"3. See what the settings mean:  consentkit check --config {file}",
    ]
