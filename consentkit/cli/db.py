"""``consentkit db``: the tables on a PostgreSQL server, and who may do what with them.

Owns what is printed. Which steps there are is told beside the tables. No row is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from consentkit.cli.options import config_option, json_option, load_settings, print_json
from consentkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consentkit.control.migrations import Part

_MISSING: Final = "the driver for PostgreSQL is not installed"


@click.group()
def db() -> None:
    """Make and change the tables on a PostgreSQL server."""


@db.command()
@config_option
@json_option
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL and change nothing.")
def upgrade(*, config: Path | None, as_json: bool, as_sql: bool) -> None:
    """Bring the tables up to this version, as the owner of the schema. Once is enough for all hosts."""
    url = _url(config)
    import psycopg  # noqa: PLC0415 - an extra; `_url` has made sure of it

    from consentkit.control import connecting, migrations  # noqa: PLC0415 - likewise

    try:
        with connecting.connect(url) as connection:
            if as_sql:
                click.echo(migrations.script(connection, _parts()), nl=False)
                return
            done = migrations.upgrade(connection, _parts())
    except psycopg.Error as exc:
        raise connecting.refused(exc, "the tables can't be changed") from None
    if as_json:
        print_json({"done": done})
    else:
        click.echo("\n".join(done) or "The tables are of this version: nothing was done.")


@db.command()
@config_option
@click.option("--sql", "as_sql", is_flag=True, help="Print the statements that make them.")
@click.option("--app", default="consentkit_app", show_default=True, help="The role of the site's servers.")
@click.option("--admin", default="consentkit_admin", show_default=True, help="The role of who looks things up.")
def roles(*, config: Path | None, as_sql: bool, app: str, admin: str) -> None:
    """Say which roles there should be besides the owner, and what each may do."""
    _url(config)
    from consentkit.archive.store.postgresql import ddl  # noqa: PLC0415 - an extra
    from consentkit.control.roles import ADMIN_MAY, APP_MAY, grants  # noqa: PLC0415 - likewise

    rights = {app: (*APP_MAY, *ddl.WRITER_MAY), admin: (*ADMIN_MAY, *ddl.READER_MAY)}
    for role, may in rights.items():
        if as_sql:
            quoted = '"' + role.replace('"', '""') + '"'
            click.echo(f"CREATE ROLE {quoted} LOGIN;  -- then give it a password: \\password {quoted}")
            click.echo("\n".join(grants(role, may)))
        else:
            click.secho(role, bold=True)
            click.echo("\n".join(f"  {one}" for one in dict.fromkeys(may)))


def _url(config: Path | None) -> str:
    """Return the URL of the settings.

    Raises:
        SettingsError: there is none, or the driver for it is missing.
    """
    url = load_settings(config).settings.storage.url
    if not url:
        raise SettingsError(
            "storage.url", "is not set: the embedded database needs no such care", "postgresql://…"
        )
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra
    except ImportError as exc:
        raise SettingsError("storage.url", _MISSING, "pip install 'consentkit[postgresql]'") from exc
    return url


def _parts() -> Sequence[Part]:
    from consentkit.archive.store.postgresql.preparing import REQUESTS  # noqa: PLC0415 - an extra
    from consentkit.control.migrations import CONTROL  # noqa: PLC0415 - likewise

    return CONTROL, REQUESTS
