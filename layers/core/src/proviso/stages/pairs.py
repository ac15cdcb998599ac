"""Pairs for tests of reviewers: added, listed, removed (S19). By the function that has the pixels.

The probe passes the gate of a search and becomes an evidence picture like any candidate's (S15); the reference passes
the gate of an enrolment. So a test looks like a candidate. Their similarity is kept as a number; the templates that it
came from end with the call.

Pictures are put before the row commits, as everywhere (rule 5): what a crash leaves is a picture that no row names, and
retain deletes it. A removal empties the row first, because from then on nobody is shown them.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from proviso.domain.audit import Act, system_act
from proviso.domain.frame import Jpeg
from proviso.domain.pairs import Pair, PairStore, picture_keys, similarity
from proviso.domain.people import Principal, Role
from proviso.domain.ports import Clock, PictureStore, Pipeline
from proviso.domain.reasons import Reason, Refused
from proviso.stages.enrol import one_face

PURPOSE = "tests of reviewers"
_MAY = (Role.WATCHLIST_OFFICER, Role.AUTHORISER)
MOST_CONSENT = 200


def add(
    *,
    principal: Principal,
    mated: bool,
    consent: str,
    probe: Jpeg,
    reference: Jpeg,
    pipeline: Pipeline,
    pictures: PictureStore,
    store: PairStore,
    clock: Clock,
    new_id: Callable[[], str],
) -> Pair | Refused:
    """Add a pair. A picture with no face, several, or one that a gate does not let through is refused, and not kept."""
    if refused := principal.needs(*_MAY):
        return refused
    if not consent.strip() or len(consent) > MOST_CONSENT or not consent.isprintable():
        return Refused(Reason.INVALID, f"consent: say where it is recorded, in one line of 1 to {MOST_CONSENT} signs")
    seen = one_face(probe, pipeline, pipeline.search_gate)
    if isinstance(seen, Refused):
        return _refused(principal, "probe", seen, pipeline, store, clock)
    enrolled = one_face(reference, pipeline, pipeline.enrolment_gate)
    if isinstance(enrolled, Refused):
        return _refused(principal, "reference", enrolled, pipeline, store, clock)
    shown = pipeline.evidence(seen.image, seen.face, [])
    pair_id = new_id()
    probe_key, reference_key = picture_keys(pair_id)
    pair = Pair(
        id=pair_id,
        mated=mated,
        similarity=similarity(seen.template(pipeline), enrolled.template(pipeline)),
        consent=consent.strip(),
        probe_key=probe_key,
        probe_face=shown.face,
        reference_key=reference_key,
        reference_face=enrolled.region,
        added_by=principal.sub,
        added_at=clock(),
    )
    pictures.put(probe_key, shown.jpeg)
    pictures.put(reference_key, reference)
    with store.work() as work:
        work.add_pair(pair)
        work.audit(_act(clock(), principal, "test_pair_added", pair_id, {"mated": mated, **_of(pipeline)}))
    return pair


def listed(*, principal: Principal, store: PairStore, clock: Clock) -> tuple[datetime, Sequence[Pair]] | Refused:
    """Every pair with its state now. The look is recorded."""
    if refused := principal.needs(*_MAY):
        return refused
    now = clock()
    with store.work() as work:
        found = work.pairs()
        work.audit(_act(now, principal, "test_pairs_consulted", "test pairs", {"pairs": len(found)}))
    return now, found


def remove(
    *, principal: Principal, pair_id: str, store: PairStore, pictures: PictureStore, clock: Clock
) -> Pair | Refused:
    """Remove a pair with its pictures: always allowed, at once, also while a deployment draws from it; whoever is shown
    in it may withdraw their consent. Doing it again deletes the pictures again."""
    if refused := principal.needs(*_MAY):
        return refused
    now = clock()
    with store.work() as work:
        if work.remove_pair(pair_id, now):
            work.audit(_act(now, principal, "test_pair_removed", pair_id, {}))
        pair = work.pair(pair_id)
    if pair is None:
        return Refused(Reason.NOT_FOUND, "test pair")
    for key in picture_keys(pair_id):
        pictures.delete(key)
    return pair


def _refused(
    principal: Principal, which: str, refused: Refused, pipeline: Pipeline, store: PairStore, clock: Clock
) -> Refused:
    details = {"picture": which, "reason": refused.reason.value, **_of(pipeline)}
    with store.work() as work:
        work.audit(_act(clock(), principal, "test_pair_refused", "test pairs", details))
    return Refused(refused.reason, f"{which}: {refused.detail}" if refused.detail else f"the {which}")


def _of(pipeline: Pipeline) -> dict[str, Any]:
    return {"pipeline": pipeline.digest}


def _act(at: datetime, principal: Principal, action: str, subject: str, details: dict[str, Any]) -> Act:
    """In the system chain. The consent's reference could name somebody for good, so it stands in the row alone."""
    return system_act(at, principal.sub, action, subject, details, purpose=PURPOSE)
