"""A running deployment under limits that suspend (S26, S27), and false candidates of it."""

from collections.abc import Iterable
from contextlib import contextmanager
from typing import Any

from proviso.domain.candidate import Age, Decision, Ethnicity, Sex
from proviso.domain.deployment import Deployment
from proviso.domain.people import Person, Role
from proviso.stages import monitoring, review
from tests.safeguards.house import House
from tests.samples import policy

LIMIT = 1000  # per million: South Wales Police's 1 in 1,000
FACES = """
INSERT INTO searched_frame (frame_key, deployment_id, camera, captured_at, searched_at, detected, refused, searched,
                            not_searched, candidates)
VALUES (gen_random_uuid(), %(id)s, 'gate-1', now(), now(), %(faces)s, 0, %(faces)s, 0, 0)
"""


def limited(**changed: Any) -> Any:
    """The rules of `demo` with limits that suspend."""
    return policy(
        **{
            "version": "limited",
            "false_hits_per_million_faces": LIMIT,
            "false_candidates_per_million_passages": LIMIT,
            "candidates_per_reviewer_hour": 500,
            **changed,
        }
    )


def watched(house: House, *who: int, exposure: Any = (), **changed: Any) -> Deployment:
    """Active, persons 3 and on listed, so that who comes by is a candidate."""
    house.permitted = limited(**changed)
    house.list_id = house.listed(*(who or (3, 4, 5)))[0]
    house.active = house.running(house.list_id, exposure=tuple(exposure))
    return house.active


def another_authoriser(house: House, sub: str = "other") -> None:
    with house.govern.work() as work:
        work.register(Person(sub, frozenset({Role.AUTHORISER}), None))


def seen(house: House, who: int, times: int = 1) -> str:
    """Somebody comes by; the candidate's id."""
    known = {one["id"] for one in house.candidates}
    for _ in range(times):
        house.see(who)
    (new,) = [one["id"] for one in house.candidates if one["id"] not in known] or [None]
    assert new is not None
    return str(new)


def rejected(house: House, who: int, times: int = 1) -> str:
    """And it was somebody else."""
    candidate = seen(house, who, times)
    house.decide(candidate, Decision.REJECT)
    return candidate


def faces(house: House, count: int, deployment_id: str | None = None) -> None:
    """So many more were searched, and found on no list."""
    house.sql("match", FACES, id=deployment_id or house.active.id, faces=count)


def state(house: House, deployment_id: str | None = None) -> str:
    return house.deployment(deployment_id or house.active.id).state.value


def suspensions(house: House) -> list[dict[str, Any]]:
    return house.sql("master", "SELECT * FROM suspension ORDER BY suspended_at, id")


def kinds(house: House) -> list[str]:
    return [one["kind"] for one in suspensions(house)]


def reviewed(house: House, by: str = "other", finding: str = "a poor picture on the list; it was taken off") -> Any:
    """The one that waits."""
    (waiting,) = [one["id"] for one in suspensions(house) if one["reviewed_at"] is None]
    return monitoring.review(
        principal=house.person(by), suspension_id=waiting, finding=finding, store=house.govern, clock=house.now
    )


def shown(house: House, by: str = "auditor", deployment_id: str | None = None) -> Any:
    return monitoring.monitoring(
        principal=house.person(by),
        deployment_id=deployment_id or house.active.id,
        store=house.govern,
        clock=house.now,
    )


def figures(house: House, deployment_id: str | None = None) -> dict[str, Any]:
    found = house.one("SELECT monitoring_of(%(id)s)", id=deployment_id or house.active.id)
    return dict(found)


def series(
    house: House, kind: str = "false_matches", span: str = "deployment", of: str | None = None
) -> dict[str, Any]:
    (found,) = [one for one in figures(house, of)["series"] if (one["kind"], one["span"]) == (kind, span)]
    return dict(found)


def said(
    house: House,
    candidate: str,
    sex: Sex = Sex.NOT_STATED,
    age: Age = Age.NOT_STATED,
    ethnicity: Ethnicity = Ethnicity.NOT_STATED,
    by: str = "reviewer",
) -> Any:
    """What a reviewer saw."""
    return review.record_demographics(
        principal=house.person(by),
        candidate_id=candidate,
        sex=sex,
        age=age,
        ethnicity=ethnicity,
        store=house.reviews,
        clock=house.now,
    )


@contextmanager
def unwatched(house: House) -> Any:
    """Changes by the owner with triggers off: to make a past that would take hours to come by."""
    with house.meddling() as master:
        yield master


def past_deadline(house: House, candidates: Iterable[str]) -> None:
    """Their time to decide is over, as the database's own clock has it."""
    with unwatched(house) as master:
        master.execute(
            "UPDATE candidate SET raised_at = raised_at - interval '1 hour', decide_by = clock_timestamp()"
            " - interval '1 second' WHERE id = ANY (%s)",
            [list(candidates)],
        )
