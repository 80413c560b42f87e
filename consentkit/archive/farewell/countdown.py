"""The countdown after a service has ended: once it is over, requests and choices are destroyed.

Owns the day and the guard. The day comes from the settings; one that was set only now, or a clock that leapt,
waits for a day of steady time, as all that would go early does. The audit stays by its own clock: it is the
proof that the rest is gone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from consentkit import audit
from consentkit.archive import destruction, inforce
from consentkit.archive.destruction import iso_second
from consentkit.archive.export.pending import PendingExports
from consentkit.archive.farewell.stripping import strip_control
from consentkit.archive.period import Catalogue
from consentkit.archive.schedule import Going
from consentkit.archive.sealing import seal
from consentkit.control import aggregate, aggregate_hour, decision
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.audit import Actor

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENDED: Final = "site.service_ended"
_DAYS: Final = "site.wind_down_days"


class Countdown(msgspec.Struct, frozen=True):
    """When a service ended, and how long after that everything is destroyed.

    Attributes:
        ended: the day; None while the service goes on.
        days: after it.
        retention_days: in force, for the certificates.
    """

    ended: date | None
    days: int
    retention_days: int

    @property
    def over_us(self) -> int | None:
        """When it is over, in microseconds since 1970 UTC; None while the service goes on."""
        if self.ended is None:
            return None
        end = datetime(self.ended.year, self.ended.month, self.ended.day, tzinfo=UTC) + timedelta(days=self.days)
        return (end - _EPOCH) // timedelta(microseconds=1)

    def waits(self, holdings: Holdings, now_us: int) -> str:
        """Return why nothing is destroyed yet although it is over; empty where nothing hinders."""
        wanted = (self.ended.isoformat() if self.ended else None, self.days)
        for settings in inforce.settings_so_far(holdings.control):
            if (settings.get(_ENDED), settings.get(_DAYS)) != wanted:
                return "the end of the service was set less than a day of steady time ago"
        steady = inforce.so_far(holdings.control, now_us, self.retention_days)
        if steady.time_us < (self.over_us or 0):
            return "the clock leapt ahead less than a day of steady time ago"
        return ""


def wind_down(
    holdings: Holdings, countdown: Countdown, actor: Actor, now_us: int, *, wait_seconds: float
) -> Holdings:
    """Destroy what is to go when the countdown is over; do nothing before.

    Periods that have not ended go when they have. Open incidents stay.

    Returns:
        The store, opened anew where the choices went.

    Raises:
        StorageError: something can't be destroyed now, or waits; it is tried again.
    """
    if countdown.over_us is None or now_us < countdown.over_us:
        return holdings
    left = [one for one in Catalogue(holdings.control, "day").known if _goes(one, now_us)]
    choices = _choices(holdings)
    if not left and not choices:
        return holdings
    if reason := countdown.waits(holdings, now_us):
        raise StorageError(str(holdings.directory), f"the end of the service is not carried out yet: {reason}")
    order = destruction.Order(
        actor=actor, retention_days=countdown.retention_days, confirmed_by=actor.name, wait_seconds=wait_seconds
    )
    PendingExports(holdings.directory, holdings.keyring).clear()
    for period in left:
        _destroy(holdings, period, order, countdown.over_us)
    if choices:
        holdings = strip_control(holdings, (decision, aggregate, aggregate_hour))
    detail = {"over": iso_second(countdown.over_us), "periods": len(left), "choices": choices}
    audit.record(holdings.control, actor, "service.wound_down", detail=detail)
    return holdings


def _goes(period: Period, now_us: int) -> bool:
    return period.state != "destroyed" and period.until_us <= now_us


def _choices(holdings: Holdings) -> int:
    with holdings.control.transaction() as connection:
        return int(connection.execute(select(func.count()).select_from(decision)).scalar_one())


def _destroy(holdings: Holdings, period: Period, order: destruction.Order, over_us: int) -> None:
    destruction.finish_rewrite(holdings, period, order.actor, wait_seconds=order.wait_seconds)
    if period.state == "open":
        seal(holdings, period, order.actor, wait_seconds=order.wait_seconds)
        period = next(one for one in Catalogue(holdings.control, "day").known if one.name == period.name)
    early = f"the service has ended, and the time to wind it down was over on {iso_second(over_us)[:10]}"
    going = Going(period=period, due_us=over_us, early=early, is_begun=period.state == "destroying")
    for _ in destruction.destroy(holdings, going, order):
        pass
