"""Routes of the pairs that tests of reviewers are made of (S19)."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from functions.enrol.answers import PICTURE_REFUSED, AddedPair, ListedPairs, RemovedPair
from proviso import wiring
from proviso.domain.frame import Jpeg
from proviso.domain.pairs import Pair
from proviso.domain.reasons import Reason, Refused
from proviso.edge.answers import gives
from proviso.edge.http import act, plain, refusal, routes
from proviso.stages import pairs

router = routes()
_Picture = Annotated[str, Field(min_length=1, description="one JPEG with one face in it, as base64")]


class PairBody(BaseModel):
    """Two pictures, and whether they show one person. Both together may have about 4.4 MB: a request is 6 MB."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    mated: bool = Field(strict=True, description="true: both show the same person")
    consent: Annotated[str, Field(min_length=1, max_length=pairs.MOST_CONSENT)] = Field(
        description="where the consent of whoever is shown is recorded; no name"
    )
    probe: _Picture
    reference: _Picture


@router.post("/tests/pairs", responses=gives(AddedPair, *PICTURE_REFUSED, status=201))
def add(body: PairBody) -> Response[Any]:
    """Add a pair of pictures for tests of reviewers.

    A watchlist officer or an authoriser does this, with pictures of people who consented. The probe becomes an evidence
    picture like a candidate's, the reference passes the gate of an enrolment. Their templates end with the call.
    """
    pictures = _decoded(body)
    if isinstance(pictures, Refused):
        return refusal(pictures)
    room = wiring.enrol()
    probe, reference = pictures
    return act(
        router.current_event,
        room.principal,
        lambda p: pairs.add(
            principal=p,
            mated=body.mated,
            consent=body.consent,
            probe=probe,
            reference=reference,
            pipeline=room.pipeline,
            pictures=room.pictures,
            store=room.pairs,
            clock=room.clock,
            new_id=room.new_id,
        ),
        lambda pair: {"id": pair.id, "similarity": round(pair.similarity, 3), "expires_at": plain(pair.expires_at)},
        status=201,
    )


@router.get("/tests/pairs", responses=gives(ListedPairs))
def listed() -> Response[Any]:
    """Show all pairs, and which of them tests are drawn from.

    The look is recorded. A pair is drawn for 30 days.
    """
    room = wiring.enrol()
    return act(
        router.current_event,
        room.principal,
        lambda p: pairs.listed(principal=p, store=room.pairs, clock=room.clock),
        lambda found: {"now": plain(found[0]), "pairs": [_view(pair, found[0]) for pair in found[1]]},
    )


@router.delete("/tests/pairs/<pair_id>", responses=gives(RemovedPair, Reason.NOT_FOUND))
def remove(pair_id: str) -> Response[Any]:
    """Remove a pair with its pictures.

    Always allowed, at once: somebody in it may withdraw their consent. Tests of it that nobody answered are gone.
    """
    room = wiring.enrol()
    return act(
        router.current_event,
        room.principal,
        lambda p: pairs.remove(
            principal=p, pair_id=pair_id, store=room.pairs, pictures=room.pictures, clock=room.clock
        ),
        lambda pair: {"id": pair.id, "removed_at": plain(pair.removed_at)},
    )


def _decoded(body: PairBody) -> tuple[Jpeg, Jpeg] | Refused:
    found = []
    for name in ("probe", "reference"):
        try:
            found.append(Jpeg(base64.b64decode(getattr(body, name), validate=True)))
        except (binascii.Error, ValueError):
            return Refused(Reason.INVALID, f"{name}: not base64; encode the bytes of the JPEG, without line breaks")
    return found[0], found[1]


def _view(pair: Pair, now: datetime) -> dict[str, Any]:
    names = ("id", "mated", "consent", "added_by", "added_at", "expires_at", "removed_at")
    shown = {name: plain(getattr(pair, name)) for name in names}
    return {**shown, "similarity": round(pair.similarity, 3), "state": pair.state(now).value}
