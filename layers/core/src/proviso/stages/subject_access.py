"""Subject access: "was I on it?", answered from what is kept when a list is gone (S31).

By reference number, or by what a person who was stopped can know: place, time and the slip. Never by a picture. The
answer goes to the data protection officer, and that it was asked is recorded without the number that was asked for.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from proviso.domain.audit import purpose_fault, system_act
from proviso.domain.govern_ports import GovernStore, GovernWork
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock
from proviso.domain.reasons import Reason, Refused
from proviso.domain.subject_ports import SubjectKeys
from proviso.domain.subjects import SLIP_WITHIN, Answer, Listed, Listing, ListUse, Raised, slip_of

BY_REFERENCE = "lookup:reference"
BY_SLIP = "lookup:slip"


def by_reference(
    *,
    principal: Principal,
    reference_no: str,
    purpose: str,
    store: GovernStore,
    subjects: SubjectKeys,
    clock: Clock,
) -> Answer | Refused:
    """Each list on which this number stood, what it was used for, and what was raised for the number."""
    if refused := principal.needs(Role.DATA_PROTECTION_OFFICER):
        return refused
    number = reference_no.strip()
    if not number:
        return Refused(Reason.INVALID, "reference_no: which number stood on the list")
    if refused := purpose_fault(purpose, number):
        return refused
    with store.work() as work:
        found = work.listed_under(number)
        answer = Answer(listings=_listings(work, found))
        pseudonyms = [subjects.pseudonym(one.watchlist_id, one.entry_id) for one in found]
        known = [name for name in pseudonyms if name]
        # By name where the person has a key; and once without one, where somebody has none or nobody was found.
        about = known if known and len(known) == len(found) else [*known, BY_REFERENCE]
        _record(work, principal, clock, purpose, about, answer)
    return answer


def by_slip(
    *,
    principal: Principal,
    place: str,
    when: datetime,
    slip: str,
    purpose: str,
    store: GovernStore,
    clock: Clock,
) -> Answer | Refused:
    """The candidate with this slip at this place, within 12 hours of this time. Not whom the machine took them for."""
    if refused := principal.needs(Role.DATA_PROTECTION_OFFICER):
        return refused
    letters = slip_of(slip)
    if letters is None:
        return Refused(Reason.INVALID, "slip: six letters (A to Z) and digits (2 to 7), as the message showed them")
    if not place.strip():
        return Refused(Reason.INVALID, "place: where it was")
    if when.tzinfo is None:
        return Refused(Reason.INVALID, "time: it needs a time zone, or UTC")
    if refused := purpose_fault(purpose):
        return refused
    moment = when.astimezone(UTC)
    with store.work() as work:
        found = work.raised_under(letters, place.strip(), moment - SLIP_WITHIN, moment + SLIP_WITHIN)
        answer = Answer(candidates=tuple(found))
        about = [raised.candidate_id for raised, _ in found] or [BY_SLIP]
        _record(work, principal, clock, purpose, about, answer)
    return answer


def _listings(work: GovernWork, found: Sequence[Listed]) -> tuple[Listing, ...]:
    uses: dict[str, list[ListUse]] = defaultdict(list)
    for use in work.uses_of(sorted({one.watchlist_id for one in found})) if found else []:
        uses[use.watchlist_id].append(use)
    raised: dict[str, list[Raised]] = defaultdict(list)
    for one in work.raised_for([listed.entry_id for listed in found]) if found else []:
        raised[one.entry_id].append(one)
    return tuple(Listing(listed, tuple(uses[listed.watchlist_id]), tuple(raised[listed.entry_id])) for listed in found)


def _record(
    work: GovernWork, principal: Principal, clock: Clock, purpose: str, about: Sequence[str], answer: Answer
) -> None:
    """One record for each whom it was about, in the system chain."""
    details = {
        "listings": len(answer.listings),
        "candidates": len(answer.candidates) + sum(len(one.raised) for one in answer.listings),
    }
    for subject in about:
        work.audit(system_act(clock(), principal.sub, "subject_access", subject, details, purpose=purpose))
