"""Records as they are published, for tests and pictures of the pages."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from proviso.domain.conditions import Attested
from proviso.domain.deployment import DeploymentState
from proviso.domain.record import Why, make_record
from proviso.domain.suppression import Headline, batch_values
from tests.samples import END, START, deployment, grounds, policy

CLOSED_AT = END + timedelta(hours=12)
OPERATOR = {"kind": "police", "name": "Example Constabulary"}
STORES = (
    *("templates", "references", "references in builds", "entry particulars", "evidence", "enrolment pictures"),
    *("subject keys", "outbox", "notices", "queue frames", "queue faces", "queue notices"),
)


def closed(**changed: Any) -> Any:
    """A deployment that ran and is closed."""
    return deployment(
        **{
            "id": "5f0c7f3e-58a7-4b1e-9d55-0d6a4c0b9a11",
            "state": DeploymentState.CLOSED,
            "place": "High Street, north entrance",
            "use": "locate_wanted_person",
            "premises": "open_to_the_public",
            "cameras": ("north", "south"),
            "passages_expected": 12_000,
            "threshold": Decimal("0.52"),
            "policy": policy(
                name="uk-police",
                message_prefix="",
                extends="uk-police 2026.11.2",
                differences=("evidence_hours is 48 and not 24: pictures are kept for longer",),
                categories=("wanted_on_warrant", "missing_person"),
                reviewers_required=2,
                max_entries=10_000,
            ),
            "grounds": grounds(
                operator_kind="police",
                operator_name="Example Constabulary",
                legal_basis="Common law policing powers; Data Protection Act 2018 section 35(5)",
                policy_document="Overt use of live facial recognition, version 7",
                necessity="To find people who are wanted on warrant for serious violence in this area.",
            ),
            "authorised_by": "authoriser",
            "started_at": START,
            "finished_at": END,
            "closed_at": CLOSED_AT,
            **changed,
        }
    )


def counts(**changed: Any) -> dict[str, Any]:
    """What the database counts of it."""
    attested = {
        Attested.PUBLIC_NOTICE.value: {
            "made_at": (START - timedelta(days=2)).isoformat(),
            "published_at": (START - timedelta(days=3)).isoformat(),
        },
        Attested.SIGNAGE.value: {"made_at": (START - timedelta(minutes=30)).isoformat(), "published_at": None},
    }
    return {
        "cameras": 2,
        "requested_rank": "inspector",
        "authorised_rank": "superintendent",
        "attested": attested,
        "entries": 8214,
        "references": 9120,
        "built_at": (START - timedelta(hours=5, minutes=12)).isoformat(),
        "categories": {"wanted_on_warrant": 8011, "missing_person": 203},
        "calibration": {
            "id": "lab-2026-11",
            "kind": "laboratory",
            "made_at": (START - timedelta(days=20)).isoformat(),
            "remark": "press photographs, not camera",
            "pack": "mobilefacenet",
        },
        "faces": {"frames": 18_250, "detected": 31_877, "refused": 9_120, "searched": 22_757, "not_searched": 0},
        "frames": [
            {"outcome": "no_face", "reason": "", "frames": 40_122},
            {"outcome": "refused", "reason": "no_permit", "frames": 12},
            {"outcome": "stale", "reason": "", "frames": 3},
        ],
        "candidates": {"confirmed": 9, "rejected": 2, "expired": 1, "withdrawn": 1},
        "outcomes": {"engaged_right": 6, "engaged_wrong": 1, "not_engaged": 2, "open": 1},
        "actions": {"arrest": 4, "conversation": 3},
        "suspensions": None,
        "certificate": {
            "counts": [{"store": store, "left": 0} for store in STORES],
            "verified_at": CLOSED_AT.isoformat(),
            "held": 7,
            "backups_expire_at": (CLOSED_AT + timedelta(days=1)).isoformat(),
            "backups_expired_at": None,
        },
        "audit": {"sequence": 18_301, "hash": "ab" * 32},
        "settled": False,
        **changed,
    }


def record(**changed: Any) -> dict[str, Any]:
    """A first revision, but for these counts."""
    return make_record(
        closed(), counts(**changed), why=Why.CLOSED, revision=1, before=None, at=CLOSED_AT, pack="mobilefacenet"
    )


def final() -> dict[str, Any]:
    """The revision after it."""
    later = CLOSED_AT + timedelta(days=1, minutes=1)
    certificate = {**counts()["certificate"], "backups_expired_at": later.isoformat()}
    changed = {
        "settled": True,
        "certificate": certificate,
        "outcomes": {"engaged_right": 6, "engaged_wrong": 1, "not_engaged": 2, "not_recorded": 1},
    }
    return make_record(
        closed(), counts(**changed), why=Why.FINAL, revision=2, before=record(), at=later, pack="mobilefacenet"
    )


def groups() -> dict[str, Any]:
    """A batch with a table that is whole, one that is merged and one that is withheld."""
    batch = [Headline(f"deployment-{number}", CLOSED_AT, 30, 20, 30) for number in range(3)]
    truths = ("true", "false", "other")
    said = {
        "sex": {**{("female", one): 14 for one in truths}, **{("male", one): 36 for one in truths}},
        "age": {("18_34", one): 20 for one in truths} | {("35_54", one): 30 for one in truths},
    }
    return batch_values(
        name="0123456789abcdef-1",
        number=1,
        operator=OPERATOR,
        demonstration=None,
        published_at="2026-11-24T08:00:00Z",
        batch=batch,
        said=said,
    )
