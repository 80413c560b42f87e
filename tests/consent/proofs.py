"""A ledger with decisions in it, for tests of what they prove."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
from sqlalchemy import text

from consentkit import signing
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision, register_policy
from consentkit.consent.receipts import make_receipt
from consentkit.consent.shown import ShownText
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.crypto.signatures import KeySet

ID = "A" * 22
OTHER_ID = "B" * 22
OPERATOR = "SIA Piemērs"
POLICY = b'{"format":1,"categories":{"statistics":{"cookies":{"visits":30}}}}'
HOST = "www.example.lv"


def shown(request: str = "Piekrītat? “Jā”\n\x07") -> bytes:
    return ShownText(
        locale="lv", title="Sīkdatnes", request=(request,), buttons=(), categories=(), services=()
    ).canonical()


def decision(granted: str, denied: str = "", consent_id: str = ID, *, minute: int = 0) -> Decision:
    return Decision(
        consent_id=consent_id,
        granted=granted,
        denied=denied,
        method="banner",
        revision=1,
        locale="lv",
        script=1,
        minute=minute,
    )


class Ledger:
    """The ledger of one site, opened."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.directory = folder
        self.keyring = Keyring.open(folder.with_name(f"{folder.name}-keys"), ())
        self.control = Control(folder, self.keyring)
        register_policy(self.control, POLICY, lambda _old, _new: frozenset())

    def copy(self, folder: Path) -> Ledger:
        """The same in another folder: cheaper to make than a new one."""
        shutil.copytree(self.directory, folder)
        shutil.copytree(self.keyring.folder, folder.with_name(f"{folder.name}-keys"))
        return Ledger(folder)

    def decide(
        self,
        granted: str,
        denied: str = "",
        consent_id: str = ID,
        *,
        minute: int = 0,
        text: bytes | None = None,
        once: str = "",
    ) -> Decision:
        answer = decision(granted, denied, consent_id, minute=minute)
        return record_decision(self.control, answer, shown=shown() if text is None else text, once=once)

    def rotate(self) -> None:
        signing.replace_key(self.control, self.keyring)

    def keys(self) -> KeySet:
        with self.control.transaction() as connection:
            return signing.key_set(connection, self.keyring, OPERATOR)

    def receipt(self, consent_id: str = ID) -> bytes:
        made = make_receipt(self.control, consent_id, operator=OPERATOR, host=HOST)
        assert made is not None
        return made

    def sql(self, *statements: str) -> None:
        with self.control.transaction() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def rows(self) -> list[Decision]:
        with self.control.transaction() as connection:
            found = connection.execute(text("SELECT * FROM decision ORDER BY number")).all()
        return [msgspec.convert(row._asdict(), Decision) for row in found]
