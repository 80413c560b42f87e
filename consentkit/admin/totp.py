"""One-time codes as a second step, and the recovery codes for a lost device.

Owns the secrets, sealed under a key of their own in the keys folder, and that no code is taken twice.

Source: RFC 6238 (TOTP) with RFC 4226's six digits and SHA-1, which is what authenticator apps take.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import delete, insert, select, update

from consentkit import audit
from consentkit.control import person as table
from consentkit.control import recovery_code
from consentkit.crypto import NONCE_BYTES
from consentkit.errors import KeyUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from consentkit.admin.people import Person
    from consentkit.audit import Actor
    from consentkit.control import Control
    from consentkit.crypto import Keyring

KEY_NAME: Final = "admin/codes"

STEP_S: Final = 30
DIGITS: Final = 6
_SECRET_BYTES: Final = 20  # RFC 4226 §4, R6
# Clocks of telephones: one step to each side (RFC 6238 §5.2).
_STEPS_TRIED: Final = (0, -1, 1)

RECOVERY_CODES: Final = 10
_RECOVERY_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
_RECOVERY_LENGTH: Final = 12


class Codes:
    """The one-time codes of all people.

    Args:
        control: the control database.
        keyring: has the key that seals the secrets, made with the first of them.
    """

    def __init__(self, control: Control, keyring: Keyring) -> None:
        self._control = control
        self._keyring = keyring

    def prepare(self, person: Person) -> None:
        """Make a secret that comes into force with its first code.

        Raises:
            KeyUnavailable, StorageError: it can't be kept.
        """
        sealed = self._seal(person, secrets.token_bytes(_SECRET_BYTES))
        with self._control.transaction() as connection:
            connection.execute(update(table).where(table.c.number == person.number).values(coming_totp=sealed))

    def coming(self, person: Person) -> str:
        """Return the secret that waits for its first code, in base 32; empty where there is none."""
        with self._control.transaction() as connection:
            sealed = connection.execute(
                select(table.c.coming_totp).where(table.c.number == person.number)
            ).scalar()
        return "" if sealed is None else base64.b32encode(self._open(person, sealed)).decode()

    def enrol(self, actor: Actor, person: Person, code: str) -> list[str]:
        """Bring the secret into force with its first code, and return new recovery codes; none for a wrong code.

        Raises:
            StorageError: it can't be made durable.
        """
        with self._control.transaction() as connection:
            row = connection.execute(select(table).where(table.c.number == person.number)).one()
            step = _step_of(self._open(person, row.coming_totp), code, after=0) if row.coming_totp else None
            if step is None:
                return []
            values = {"totp": row.coming_totp, "coming_totp": None, "totp_step": step}
            connection.execute(update(table).where(table.c.number == person.number).values(values))
            recovery = self._renew_recovery(connection, person)
            audit.append(connection, actor, "staff.codes", detail={"person": person.name, "asked_for": True})
        return recovery

    def remove(self, actor: Actor, person: Person) -> None:
        """Ask for no one-time codes any more.

        Raises:
            StorageError: it can't be made durable.
        """
        values = {"totp": None, "coming_totp": None}
        with self._control.transaction() as connection:
            connection.execute(update(table).where(table.c.number == person.number).values(values))
            connection.execute(delete(recovery_code).where(recovery_code.c.person == person.number))
            audit.append(connection, actor, "staff.codes", detail={"person": person.name, "asked_for": False})

    def take(self, person: Person, code: str) -> bool:
        """Tell whether a code is right, and take it: it is right once. A recovery code is one too.

        Raises:
            KeyUnavailable, StorageError: it can't be told.
        """
        text = "".join(code.split()).replace("-", "").lower()
        with self._control.transaction() as connection:
            if len(text) == _RECOVERY_LENGTH:
                used = delete(recovery_code).where(
                    recovery_code.c.person == person.number, recovery_code.c.digest == self._digest(person, text)
                )
                return connection.execute(used).rowcount == 1
            row = connection.execute(select(table).where(table.c.number == person.number)).one()
            step = _step_of(self._open(person, row.totp), text, after=row.totp_step) if row.totp else None
            if step is None:
                return False
            connection.execute(update(table).where(table.c.number == person.number).values(totp_step=step))
        return True

    def recovery_left(self, person: Person) -> int:
        """Return how many recovery codes are left."""
        with self._control.transaction() as connection:
            query = select(recovery_code.c.digest).where(recovery_code.c.person == person.number)
            return len(connection.execute(query).all())

    def _renew_recovery(self, connection: Connection, person: Person) -> list[str]:
        connection.execute(delete(recovery_code).where(recovery_code.c.person == person.number))
        fresh = [
            "".join(secrets.choice(_RECOVERY_LETTERS) for _ in range(_RECOVERY_LENGTH))
            for _ in range(RECOVERY_CODES)
        ]
        rows = [{"person": person.number, "digest": self._digest(person, code)} for code in fresh]
        connection.execute(insert(recovery_code), rows)
        return ["-".join((code[:4], code[4:8], code[8:])) for code in fresh]

    def _digest(self, person: Person, code: str) -> str:
        # Of 59 random bits, so that a fast hash does; keyed, so that the database alone tells nothing.
        text = f"recovery {person.number} {code}".encode("utf-8", "surrogatepass")
        return hmac.new(self._keyring.make(KEY_NAME), text, hashlib.sha256).hexdigest()

    def _seal(self, person: Person, secret: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._keyring.make(KEY_NAME)).encrypt(nonce, secret, _bound_to(person))

    def _open(self, person: Person, sealed: bytes) -> bytes:
        try:
            return AESGCM(self._keyring.load(KEY_NAME)).decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(person)
            )
        except InvalidTag as exc:
            raise KeyUnavailable(KEY_NAME, "does not open what it sealed; restore the keys folder") from exc


def address_of(secret: str, *, name: str, site: str) -> str:
    """Return what an authenticator app reads from the QR code. Source: Google's Key URI Format."""
    issuer = (site or "consentkit").replace(":", " ")
    label = quote(f"{issuer}:{name.replace(':', ' ')}")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': issuer}, quote_via=quote)}"


def _step_of(secret: bytes, code: str, *, after: int) -> int | None:
    """Return the time step whose code it is, later than the last one that was taken."""
    generator = TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303 - RFC 6238's default
    now = int(time.time()) // STEP_S
    found = None
    for shift in _STEPS_TRIED:
        is_it = hmac.compare_digest(generator.generate((now + shift) * STEP_S), code.encode("utf-8", "replace"))
        if is_it and now + shift > after:
            found = now + shift
    return found


def _bound_to(person: Person) -> bytes:
    return f"consentkit/codes/{person.number}".encode()
