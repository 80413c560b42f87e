"""One answer of one visitor, as the ledger keeps it.

Owns its shape alone, so that a worker can speak of a decision without loading the database.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Method: TypeAlias = Literal["banner", "settings", "withdrawal", "embed", "api"]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of one visitor, as it was given.

    Attributes:
        number: position in the ledger, from 1.
        minute: server's time of the answer, minutes since 1970 UTC; 0 = it is taken when it is written.
        consent_id: random; empty while nothing was ever granted.
        granted, denied: categories, comma-separated, in the policy's order; behind them the services that are
            allowed one by one, or no longer are, as ``+vimeo``.
        method: how it was given.
        revision: of the policy that was shown.
        locale: language in which it was shown.
        script: 1 where a script sent it, 0 for a plain form.
        previous_number: the same visitor's decision before, 0 = none.
        previous_hash, hash: the chain.
        written: when it was written; later than `minute` where it was owed for a while.
        policy_hash, text_hash: of the policy and of what was shown; empty where it is not known.
        key_id, signature: over `statement.signed_bytes`.
        pruned_in: the audit's entry by which the row was let go; nothing but its place is left then.
    """

    number: int = 0
    minute: int = 0
    consent_id: str
    granted: str
    denied: str
    method: Method
    revision: int
    locale: str
    script: int
    previous_number: int = 0
    previous_hash: str = ""
    hash: str = ""
    written: int = 0
    policy_hash: str = ""
    text_hash: str = ""
    key_id: str = ""
    signature: bytes = b""
    pruned_in: int = 0
