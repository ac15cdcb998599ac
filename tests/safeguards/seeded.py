"""A running deployment that asks for tests of its reviewers, and what goes past the code there (S19)."""

from typing import Any

from proviso.domain.candidate import Decision
from proviso.stages import review, reviewers
from tests.safeguards.house import CANDIDATE_COLUMNS, House
from tests.samples import policy

GIVE = """
INSERT INTO test_candidate (id, deployment_id, reviewer, pair_id, mated, camera, place, captured_at, raised_at,
                            decide_by)
SELECT gen_random_uuid(), d.id, %(who)s, p.id, p.mated, 'gate-1', d.place, clock_timestamp() - interval '6 seconds',
       clock_timestamp() - interval '5 seconds', clock_timestamp() + interval '5 minutes'
FROM deployment d CROSS JOIN (SELECT id, mated FROM test_pair WHERE mated = %(mated)s LIMIT 1) AS p
WHERE d.id = %(deployment)s
RETURNING id
"""
WRITE_REVIEW = """
INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)
SELECT gen_random_uuid(), id, %(who)s, 'reject', 'x', clock_timestamp() FROM candidate WHERE id = %(candidate)s
"""


def asking(house: House, **changed: Any) -> House:
    """Active under a policy that asks for tests; person 3 listed."""
    house.permitted = policy(**{"test_candidates_percent": 5, "version": "tests", **changed})
    house.pool()
    house.list_id = house.listed(3)[0]
    house.active = house.running(house.list_id)
    return house


def candidates(house: House, count: int) -> list[str]:
    """So many raised candidates, made by match's role past the code from one that was found."""
    if not house.candidates:
        house.see(3)
    columns = ", ".join(CANDIDATE_COLUMNS)
    own = {
        "id": "gen_random_uuid()",
        "frame_key": "frame_key || number",
        "evidence_key": "evidence_key || number",
        "decide_by": "now() + interval '1 hour'",
    }
    values = ", ".join(own.get(column, column) for column in CANDIDATE_COLUMNS)
    known = {one["id"] for one in house.candidates}
    house.sql(
        "match",
        f"INSERT INTO candidate ({columns}) SELECT {values}"
        " FROM (SELECT * FROM candidate ORDER BY raised_at, id LIMIT 1) AS one,"
        " generate_series(%(next)s, %(next)s + %(count)s - 1) AS n (number)",
        next=len(known),
        count=count,
    )
    return [one["id"] for one in house.candidates if one["id"] not in known]


def give(house: House, mated: bool = False, who: str = "reviewer", role: str = "review") -> str:
    """A test that has come due, written by a login role."""
    return str(house.sql(role, GIVE, who=who, mated=mated, deployment=house.active.id)[0]["id"])


def come_due(house: House) -> None:
    """As if a minute or two had passed for every test that is still to come: the database's clock cannot be set."""
    with house.meddling() as master:
        master.execute(
            "UPDATE test_candidate SET raised_at = raised_at - interval '2 minutes',"
            " captured_at = captured_at - interval '2 minutes' WHERE decision IS NULL AND raised_at > now()"
        )


def given_to(house: House, who: str = "reviewer") -> list[dict[str, Any]]:
    return house.sql("master", "SELECT * FROM test_candidate WHERE reviewer = %(who)s ORDER BY raised_at, id", who=who)


def err(house: House, times: int = 3, who: str = "reviewer") -> None:
    """Confirm so many strangers, as far as that is let happen."""
    for _ in range(times):
        house.decide(give(house, mated=False, who=who), Decision.CONFIRM, by=who)


def look(house: House, candidate_id: str, by: str = "reviewer") -> Any:
    return review.look(principal=house.person(by), candidate_id=candidate_id, store=house.reviews, clock=house.now)


def picture(house: House, candidate_id: str, by: str = "reviewer", reference: str | None = None) -> Any:
    return review.picture(
        principal=house.person(by),
        candidate_id=candidate_id,
        reference_id=reference,
        store=house.reviews,
        evidence=house.evidence,
        enrolment=house.enrolment,
        clock=house.now,
    )


def waiting(house: House, by: str = "reviewer") -> Any:
    return review.pending(principal=house.person(by), store=house.reviews, clock=house.now)


def shown_answers(house: House, by: str = "authoriser") -> Any:
    return reviewers.reviewers(principal=house.person(by), store=house.reviews, clock=house.now)
