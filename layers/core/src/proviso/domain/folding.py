"""When hours of the ledger are folded into the audit (rule 3). Apart from the other rules of retention: all that
detect needs of them is under which hour a frame ends.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

LEDGER_KEPT = timedelta(days=3)
"""How long a row of the ledger lives; by then retain must have folded it into the audit."""
FOLD_SETTLES = timedelta(minutes=10)
"""How long after an hour's end its rows are folded. No function that ends a frame runs for longer than a minute, so
none writes into an hour that is folded."""
FOLD_LOOKED_FOR_AT = time(3, 15)
"""The minute of a day (UTC) in which sweep looks whether frames ended without being searched. Frames that come while no
deployment is active make nothing due, and retain may not come by before the ledger has lost them."""
FOLD_LOOKED_FOR_BACK = 48
"""Over how many hours it looks: each hour in two looks, so that a run of retain that failed loses nothing."""


@dataclass(frozen=True, slots=True)
class LedgerFold:
    """How many frames of one camera and hour ended in one way: what retain writes into the audit (rule 3).

    `frames_digest` is the SHA-256 of their keys' canonical form.
    """

    camera: str
    hour: str
    outcome: str
    reason: str
    frames: int
    frames_digest: str


def fold_hour(moment: datetime) -> str:
    """The UTC hour under which a row of the ledger is folded, like 2026-11-22T20. Later hours sort later."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H")


def unfolded_hours(folded_until: str | None, now: datetime) -> list[str]:
    """The hours after `folded_until`, oldest first, up to the one that `now` lies in. None that is so old that the
    ledger keeps nothing of it any more."""
    first = now - LEDGER_KEPT - timedelta(hours=1)
    hours = [fold_hour(first + timedelta(hours=n)) for n in range(int(LEDGER_KEPT / timedelta(hours=1)) + 2)]
    return [hour for hour in hours if folded_until is None or hour > folded_until]


def settled_hours(folded_until: str | None, now: datetime) -> list[str]:
    """Those of them that may be folded: the last one is the hour before the present, once it has settled."""
    return unfolded_hours(folded_until, now - FOLD_SETTLES)[:-1]


def hours_to_look_for(now: datetime) -> list[str]:
    """The settled hours in which sweep looks for unsearched frames, newest first; none but in one minute of a day."""
    moment = now.astimezone(UTC)
    if (moment.hour, moment.minute) != (FOLD_LOOKED_FOR_AT.hour, FOLD_LOOKED_FOR_AT.minute):
        return []
    return settled_hours(None, now)[: -FOLD_LOOKED_FOR_BACK - 1 : -1]
