"""A withdrawal removes what was set, in every form in which a real browser holds a cookie."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, Page, expect

from tests.browser.secure_site import VARIANTS
from tests.conftest import CHROMIUM_OPTIONS
from tests.serving import Server, serving

pytestmark = pytest.mark.browser

SETTINGS = """
[site]
operator = "SIA Piemērs"
contact = "privacy@example.com"
languages = ["en"]

[consent]
undeclared = "block"

[[consent.cookies]]
name = "basket"
category = "necessary"
purpose = "Holds what is bought"
"""
OPTIONAL = """
[[consent.cookies]]
name = "{name}"
category = "{category}"
purpose = "Counts"
lifetime_days = 1
path = "{path}"
domain = "{domain}"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The site over https, whose settings do not tell the domains: only a path, which nobody could guess."""
    folder = tmp_path_factory.mktemp("secure")
    optional = [
        OPTIONAL.format(
            name=name,
            category="statistics" if "parent" in name else "marketing",
            path="/shop" if "/shop" in attributes else "/",
            domain="",
        )
        for name, attributes in VARIANTS.items()
    ]
    config = folder / "consentkit.toml"
    config.write_text("".join((SETTINGS, *optional)), "utf-8")
    certificate, key = make_certificate(folder)
    options = ("--ssl-certfile", str(certificate), "--ssl-keyfile", str(key))
    with serving(
        "tests.browser.secure_site:app", folder, config=config, options=options, scheme="https"
    ) as running:
        yield running


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for the site's hosts, signed by itself, and return its file and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("site.test"), x509.DNSName("*.site.test")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    paths = folder / "site.pem", folder / "site.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


@pytest.fixture(scope="module")
def secure_browser(browser: Browser) -> Iterator[Browser]:
    """A Chromium of its own, which finds the site's hosts on this machine."""
    options = [*CHROMIUM_OPTIONS, "--host-resolver-rules=MAP *.test 127.0.0.1"]
    running = browser.browser_type.launch(executable_path=shutil.which("chromium"), args=options)
    yield running
    running.close()


@pytest.fixture
def page(secure_browser: Browser) -> Iterator[Page]:
    context = secure_browser.new_context(ignore_https_errors=True)
    yield context.new_page()
    context.close()


def held(page: Page) -> set[str]:
    """Return the names of all cookies that the browser holds, the partitioned ones too."""
    session = page.context.new_cdp_session(page)
    names = {cookie["name"] for cookie in session.send("Network.getAllCookies")["cookies"]}
    session.detach()
    return names


def accept_and_collect(page: Page, site: Server, host: str) -> None:
    page.goto(f"https://{host}:{site.port}/shop")
    page.locator(".ck-first").get_by_role("button", name="Accept all").click()
    expect(page.locator(".ck-first")).to_be_hidden()
    page.goto(f"https://{host}:{site.port}/shop/cart?set=1")
    assert held(page) >= {*VARIANTS, "basket"}, "this browser takes every variant"


def test_before_consent_none_of_them_is_set(page: Page, site: Server) -> None:
    page.goto(f"https://shop.site.test:{site.port}/shop/cart?set=1")
    assert held(page) == {"basket"}


@pytest.mark.parametrize("host", ["shop.site.test", "www.site.test", "site.test"])
def test_a_withdrawal_removes_every_variant_and_nothing_else(page: Page, site: Server, host: str) -> None:
    accept_and_collect(page, site, host)
    page.goto(f"https://{host}:{site.port}/consentkit/settings?next=/shop/cart")
    page.locator("main").get_by_role("button", name="Reject all").click()
    page.wait_for_url("**/shop/cart")
    # What does not fit into one answer's 16 fields goes with the next pages.
    for _ in range(12):
        if not held(page) & set(VARIANTS):
            break
        page.goto(f"https://{host}:{site.port}/shop/cart")
    assert held(page) == {"basket", "__Host-consentkit"}


def test_one_category_that_is_taken_back_leaves_the_other(page: Page, site: Server) -> None:
    accept_and_collect(page, site, "shop.site.test")
    page.goto(f"https://shop.site.test:{site.port}/consentkit/settings?next=/shop")
    page.locator("input[name=statistics]").uncheck()
    page.locator("main").get_by_role("button", name="Save my choice").click()
    page.wait_for_url("**/shop")
    for _ in range(6):
        page.goto(f"https://shop.site.test:{site.port}/shop/cart")
    assert {name for name in VARIANTS if "parent" in name}.isdisjoint(held(page))
    assert held(page) >= {name for name in VARIANTS if "parent" not in name}


def test_what_one_host_sets_for_all_the_other_host_deletes(page: Page, site: Server) -> None:
    accept_and_collect(page, site, "shop.site.test")
    page.goto(f"https://www.site.test:{site.port}/shop")
    page.locator(".ck-first").get_by_role("button", name="Reject all").click()
    expect(page.locator(".ck-first")).to_be_hidden()
    for _ in range(6):
        page.goto(f"https://www.site.test:{site.port}/shop/cart")
    assert {"parent", "below_parent", "__Secure-bound", "parted_parent"}.isdisjoint(held(page))
    assert "plain" in held(page), "another host's own cookie is out of reach, and no business of this one"
