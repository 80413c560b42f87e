"""Which role may do what: one table.

Owns the roles and the actions. That nothing is done without asking here is the application's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Role: TypeAlias = Literal["viewer", "investigator", "officer", "admin"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)

Action: TypeAlias = Literal[
    "overview.view",
    "retention.run",
    "health.view",
    "health.servers",
    "consent.view",
    "consent.receipt",
    "search.run",
    "search.reveal",
    "search.export",
    "incident.view",
    "incident.open",
    "incident.export",
    "incident.close",
    "people.view",
    "people.export",
    "people.erase",
    "people.decide",
    "records.view",
    "records.change",
    "audit.view",
    "audit.exposed",
    "audit.export",
    "audit.review",
    "staff.view",
    "staff.change",
    "settings.view",
    "account.view",
    "account.change",
]

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)

_ALL: Final = frozenset(ROLES)
_EVERYONES: Final[tuple[Action, ...]] = (
    "overview.view",
    "health.view",
    "consent.view",
    "records.view",
    "account.view",
    "account.change",
)
_INVESTIGATORS: Final[tuple[Action, ...]] = (
    "search.run",
    "search.reveal",
    "incident.view",
    "incident.open",
)
_OFFICERS: Final[tuple[Action, ...]] = (
    "retention.run",
    "consent.receipt",
    "search.export",
    "incident.view",
    "incident.open",
    "incident.export",
    "incident.close",
    "people.view",
    "people.export",
    "people.erase",
    "people.decide",
    "records.change",
    "audit.view",
    "audit.exposed",
    "audit.export",
    "audit.review",
    "settings.view",
)
_ADMINS: Final[tuple[Action, ...]] = ("health.servers", "staff.view", "staff.change", "settings.view")


def _table() -> Mapping[Action, frozenset[Role]]:
    allowed: dict[Action, frozenset[Role]] = dict.fromkeys(_EVERYONES, _ALL)
    of_roles: tuple[tuple[Role, tuple[Action, ...]], ...] = (
        ("investigator", _INVESTIGATORS),
        ("officer", _OFFICERS),
        ("admin", _ADMINS),
    )
    for role, actions in of_roles:
        for action in actions:
            allowed[action] = allowed.get(action, frozenset()) | {role}
    return allowed


ALLOWED: Final = _table()


def may(roles: Iterable[str], action: Action) -> bool:
    """Tell whether one of a person's roles allows an action.

    Roles do not contain one another: who has two duties in a small team is given two roles, and each of them
    is in the audit's entry.
    """
    return not ALLOWED[action].isdisjoint(roles)
