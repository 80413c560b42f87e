"""Every page of the admin area over PostgreSQL, opened by one who has all roles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx
import pytest

from consentkit.admin.roles import ROLES
from tests.admin.area import FORM, ROOT
from tests.admin.forms import ROUTES, TABLE, Form, Shown
from tests.server.stores import Host, Visitor, database, said, wait_for
from tests.servers.postgresql import PostgreSQL
from tests.serving import Server

pytestmark = pytest.mark.server

PASSWORD = "a password for tests"
VISITOR = "203.0.113.77"
LOOK = {"look-purpose": "security", "look-reason": "a test of the pages", "look-case": "INC-1"}

# A form alone leads there.
BY_FORM = frozenset({"/account/codes"})


class Staff(httpx.Client):
    """Somebody of the staff: keeps cookies, and says of forms where they come from."""

    def __init__(self, server: Server) -> None:
        super().__init__(base_url=server.url + ROOT, headers={"accept-language": "en"}, timeout=60)

    def page(self, address: str) -> str:
        """Open a page."""
        answer = self.get(address)
        assert answer.status_code == 200, (address, answer.text[:2000])
        return answer.text

    def send_form(self, path: str, fields: dict[str, str], *, status: int = 303) -> httpx.Response:
        """Send a form, and require its answer."""
        answer = self.post(path, data=fields, headers=FORM)
        assert answer.status_code == status, (path, answer.text[:2000])
        return answer

    def led(self, path: str, fields: dict[str, str]) -> str:
        """Send a form, and return where it leads."""
        return str(self.send_form(path, fields).headers["location"]).removeprefix(ROOT)

    def arrived(self, address: str) -> str:
        """Wait while a page asks to be opened again; return the last."""
        pages: list[str] = []

        def is_over() -> bool:
            answer = self.get(address, follow_redirects=True)
            assert answer.status_code == 200, answer.text[:2000]
            pages.append(answer.text)
            return 'http-equiv="refresh"' not in answer.text

        wait_for(is_over, address)
        return pages[-1]


@pytest.fixture(scope="module")
def server(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The example site, with its ingester, all as the owner."""
    with database(postgresql) as where:
        host = Host(tmp_path_factory.mktemp("site"), where)
        with host.serve() as running:
            roles = [part for role in ROLES for part in ("--role", role)]
            done = host.run("admin", "add", "liga", *roles, "--password-stdin", given=f"{PASSWORD}\n")
            assert done.returncode == 0, done.stderr
            with Visitor(running, VISITOR) as visitor:
                visitor.open("/", "/plans", "/help")
                visitor.choose("accept")
                visitor.open("/nowhere?q='", status=404)
            host.wait_until_stored()
            yield running
            assert said(running) == ""


@pytest.fixture
def staff(server: Server) -> Iterator[Staff]:
    with Staff(server) as client:
        client.send_form("/sign-in", {"name": "liga", "password": PASSWORD})
        client.send_form("/look", LOOK)
        yield client


def form_to(page: str, address: str, path: str) -> Form:
    return next(form for form in Shown(page, address).forms if form.path.partition("?")[0] == path)


def test_a_search_masks_addresses_and_shows_them_when_asked(staff: Staff) -> None:
    address = "/search?since=1h"
    page = staff.page(address)
    assert "/nowhere" in page
    assert VISITOR not in page
    form = form_to(page, address, "/search/reveal")
    assert VISITOR in staff.send_form(form.path, form.sent(), status=200).text


def test_an_export_is_written_and_taken_along(staff: Staff) -> None:
    terms = {"format": "csv", "limit": "1000", "recipient": "The police", "destroy_by": "2099-01-31"}
    waiting = staff.led("/search/export?since=1h", terms)
    staff.arrived(waiting)
    file = staff.get(f"{waiting}/file")
    assert "attachment" in file.headers["content-disposition"]
    assert VISITOR in file.text


def test_an_incident_is_opened_and_exported(staff: Staff) -> None:
    terms = {"case": "2026-7", "reason": "guessing", "owner": "liga", "review": "2027-01-31"}
    page = staff.arrived(staff.led("/incidents/new?since=1h&status=404", terms))
    assert "2026-7" in page
    number = re.findall(rf'href="{ROOT}/incidents/(\d+)/rows', page)[0]
    assert "/nowhere" in staff.page(f"/incidents/{number}/rows")


def test_a_persons_request_is_entered_and_answered(staff: Staff) -> None:
    today = datetime.now(UTC).date().isoformat()
    form = {"kind": "export", "received": today, "reference": "letter 1"}
    made = staff.led("/people/new", form).partition("?")[0]
    by_hand = {"address": VISITOR, "since": today, "until": today, "reason": "a bill of the provider"}
    staff.send_form(f"{made}/identify", by_hand)
    staff.page(f"{made}/preview")
    answer = staff.send_form(f"{made}/export", {"what": "requests"}, status=200)
    assert answer.content.startswith(b"PK")
    assert "Made a copy" in staff.page(made)


def test_every_page_that_links_lead_to_opens(staff: Staff) -> None:
    found: set[str] = set()
    waiting = ["/", f"/search?{urlencode({'since': '1h'})}", "/search/top?by=path&since=1h"]
    for address in waiting:  # grows while it is walked
        match = TABLE.find(address.partition("?")[0], "GET")
        if match is None or match.route is None or match.route.path in found:
            continue
        answer = staff.get(address)
        assert answer.status_code == 200, (address, answer.text[:2000])
        found.add(match.route.path)
        if answer.headers["content-type"].startswith("text/html"):
            waiting += [link for link in Shown(answer.text, address).links if "lang=" not in link]
    plain = {route.path for route in ROUTES if route.method == "GET" and "{" not in route.path}
    assert plain - found <= BY_FORM
    assert len(found) > len(plain)
