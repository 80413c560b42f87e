"""The QR code of the one-time codes: a reader that is not the writer's reads the very address."""

from __future__ import annotations

import re

import pytest
import zxingcpp

from consentkit.admin import qrcode
from consentkit.admin.totp import address_of

PIXELS = 4


@pytest.mark.parametrize(
    ("name", "site"),
    [("liga", "Example"), ("Līga Bērziņa", "Rīgas ostas pārvalde"), ("a" * 64, "x" * 100), ("a:b@c", "")],
    ids=["plain", "Latvian", "long", "marks"],
)
def test_a_code_is_read_as_the_address_it_stands_for(name: str, site: str) -> None:
    address = address_of("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", name=name, site=site)
    code = qrcode.draw(address)
    side = code.size * PIXELS
    image = bytearray(b"\xff" * side * side)
    for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", code.path):
        for row in range(int(y) * PIXELS, int(y) * PIXELS + PIXELS):
            start = row * side + int(x) * PIXELS
            image[start : start + PIXELS] = bytes(PIXELS)
    (read,) = zxingcpp.read_barcodes(memoryview(image).cast("B", (side, side)))
    assert read.text == address
