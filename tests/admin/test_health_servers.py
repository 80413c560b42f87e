"""The health page of a site whose records lie on a database server: who is told which one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from consentkit import ConsentKit
from consentkit.admin.people import People
from consentkit.admin.roles import ROLES, Role
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.settings import Settings
from tests.admin.area import ORIGIN, STAFF, Client, hashed, run, site, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.postgresql import PostgreSQL

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def database(postgresql: PostgreSQL) -> Iterator[str]:
    """The name of a database."""
    name = postgresql.make_database()
    yield name
    postgresql.drop_database(name)


@pytest.fixture(scope="module")
def settings(postgresql: PostgreSQL, database: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of a site in that database, with one person of each role."""
    folder = tmp_path_factory.mktemp("site")
    storage = {"directory": "data", "url": postgresql.url(database)}
    settings = Settings.from_mapping({"storage": storage, "requestlog": {"ingest": "external"}}, base=folder)
    settings.storage.directory.mkdir(mode=0o700)
    control = Control(settings.storage.directory, Keyring.open(settings.storage.keys, ()), storage["url"])
    for role in ROLES:
        People(control).add(STAFF, role, [role], hashed())
    control.close()
    return settings


@pytest.mark.parametrize("role", ROLES)
def test_where_the_database_server_is_stands_on_an_administrators_page_alone(
    settings: Settings, database: str, role: Role
) -> None:
    async def story() -> None:
        kit = ConsentKit(settings)
        transport = httpx.ASGITransport(kit.wrap(site), client=("192.0.2.7", 4711))
        await kit.start()
        try:
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, timeout=60) as http:
                client = Client(http)
                assert (await client.sign_in(role)).status_code == 303
                page = text_of(await client.get("/health?lang=en"))
        finally:
            await kit.stop()
        assert f"PostgreSQL {f'on 127.0.0.1, database {database} ' if role == 'admin' else ''}answers in" in page
        assert (database in page) is (role == "admin")

    run(story)
