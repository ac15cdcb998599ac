"""The store of review: what waits for a person, and the one way in which a candidate is decided (S16, S17, S18).

A decision asks the database for everything at the moment of writing: the candidate raised, its time not over by the
caller's clock nor by the database's, the deployment active and in its window, the reviewer not involved. The triggers
ask again, for whoever writes past this module.
"""

from datetime import datetime, timedelta
from typing import Any, LiteralString

from proviso.domain.candidate import Candidate, CandidateState, ConfirmingReview, Decision, Review
from proviso.domain.deployment import DeploymentState
from proviso.domain.people import Person
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused
from proviso.store import rows
from proviso.store.audit import AuditTable
from proviso.store.connection import Connector, RuleBroken, Session, Store
from proviso.store.deployments import SHARE_DEPLOYMENT
from proviso.store.people import PeopleTable

_PENDING = """
WHERE c.state = 'raised' AND %(now)s < c.decide_by
  AND d.state = 'active' AND d.starts_at <= %(now)s AND %(now)s < LEAST(d.ends_at, d.search_until)
  AND EXISTS (SELECT FROM deployment_member m WHERE m.deployment_id = d.id AND m.sub = %(reviewer)s
              AND m.role = 'reviewer' AND m.removed_at IS NULL)
ORDER BY c.raised_at DESC, c.id
"""
_CIRCUMSTANCES = """
SELECT c.state, c.decide_by, d.state AS deployment_state, LEAST(d.ends_at, d.search_until) AS ends_at,
       d.policy, clock_timestamp() AS database_now,
       EXISTS (SELECT FROM involved_in(d.id) AS i (sub) WHERE i.sub = %(reviewer)s) AS involved,
       EXISTS (SELECT FROM person WHERE sub = %(reviewer)s AND 'reviewer' = ANY (roles)) AS reviews,
       EXISTS (SELECT FROM person WHERE sub = %(reviewer)s AND trained_until > clock_timestamp()) AS trained,
       EXISTS (SELECT FROM deployment_member m WHERE m.deployment_id = d.id AND m.sub = %(reviewer)s
               AND m.role = 'reviewer' AND m.removed_at IS NULL) AS member,
       EXISTS (SELECT FROM review r WHERE r.candidate_id = c.id AND r.reviewer = %(reviewer)s) AS decided
FROM candidate c JOIN deployment d ON d.id = c.deployment_id
WHERE c.id = %(candidate)s
"""
_ADD_REVIEW = """
INSERT INTO review (id, candidate_id, reviewer, decision, reason, decided_at)
VALUES (%(id)s, %(candidate)s, %(reviewer)s, %(decision)s, %(reason)s, %(decided_at)s)
"""
_DECIDE = """
UPDATE candidate AS c
SET state = %(state)s, decided_by = %(reviewer)s, decided_at = %(decided_at)s, confirming_review = %(confirming)s,
    revision = c.revision + %(revisions)s
WHERE c.id = %(candidate)s AND c.state = 'raised'
  AND %(now)s < c.decide_by AND clock_timestamp() < c.decide_by
  AND EXISTS (
      SELECT FROM deployment d
      WHERE d.id = c.deployment_id AND d.state = 'active'
        AND d.starts_at <= %(now)s AND %(now)s < LEAST(d.ends_at, d.search_until)
        AND clock_timestamp() < LEAST(d.ends_at, d.search_until)
  )
  AND NOT EXISTS (SELECT FROM involved_in(c.deployment_id) AS i (sub) WHERE i.sub = %(reviewer)s)
"""
_MEMBER = """
SELECT EXISTS (SELECT FROM deployment_member WHERE deployment_id = %(deployment)s AND sub = %(reviewer)s
               AND role = 'reviewer' AND removed_at IS NULL)
"""
_CONFIRMATIONS = """
SELECT count(DISTINCT reviewer) FROM review WHERE candidate_id = %(candidate)s AND decision = 'confirm'
"""


class PostgresReviewWork(AuditTable):
    """ReviewWork."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._people = PeopleTable(session)

    def person(self, sub: str) -> Person | None:
        """Who this account belongs to."""
        return self._people.person(sub)

    def pending(self, now: datetime, reviewer: str) -> list[Candidate]:
        """Raised, in time, of active deployments that name this reviewer; newest first."""
        given = {"now": now, "reviewer": reviewer}
        return [rows.candidate(row) for row in self._session.rows(rows.CANDIDATES + _PENDING, given)]

    def reviews_for(self, deployment_id: str, reviewer: str) -> bool:
        """Is this person named as a reviewer of the deployment?"""
        given = {"deployment": deployment_id, "reviewer": reviewer}
        return bool(self._session.value(_MEMBER, given))

    def candidate(self, candidate_id: str, *, lock: bool = False) -> Candidate | None:
        """One candidate as it stands."""
        query: LiteralString = rows.CANDIDATES + "WHERE c.id = %(candidate)s"
        found = self._session.row(query + (" FOR UPDATE OF c" if lock else ""), {"candidate": candidate_id})
        return rows.candidate(found) if found else None

    def involved(self, deployment_id: str) -> frozenset[str]:
        """Who requested or authorised it, or added an entry or a reference to its list."""
        found = self._session.tuples("SELECT * FROM involved_in(%(deployment)s)", {"deployment": deployment_id})
        return frozenset(row[0] for row in found)

    def reference_keys(self, candidate_id: str) -> list[tuple[str, str]]:
        """(reference id, enrolment picture key) of the candidate's entry, of the deployment's build."""
        found = self._session.tuples(
            """
            SELECT r.id, r.image_key
            FROM candidate c
            JOIN deployment d ON d.id = c.deployment_id
            JOIN build_reference b ON b.build_id = d.build_id AND b.entry_id = c.entry_id
            JOIN reference r ON r.id = b.reference_id
            WHERE c.id = %(candidate)s ORDER BY r.id
            """,
            {"candidate": candidate_id},
        )
        return [(row[0], row[1]) for row in found]

    def own_review(self, candidate_id: str, reviewer: str) -> Review | None:
        """What this reviewer decided, if anything."""
        found = self._session.row(
            rows.REVIEWS + "WHERE candidate_id = %(candidate)s AND reviewer = %(reviewer)s",
            {"candidate": candidate_id, "reviewer": reviewer},
        )
        return rows.review(found) if found else None

    def category(self, candidate_id: str) -> str | None:
        """The entry's category; None once the entry is erased."""
        found = self._session.value(
            """
            SELECT e.category FROM candidate c JOIN entry e ON e.id = c.entry_id
            WHERE c.id = %(candidate)s AND e.erased_at IS NULL
            """,
            {"candidate": candidate_id},
        )
        return str(found) if found is not None else None

    def decide(self, review: Review, now: datetime) -> ConfirmingReview | Review | Refused:
        """Record a decision and, by it, move the candidate. One decision a reviewer and candidate.

        A confirmation moves it when as many different people confirmed as the policy asks for; until then, and for
        `cannot_tell`, the review alone is recorded and the candidate waits on. One rejection is enough.
        """
        given = {"candidate": review.candidate_id, "reviewer": review.reviewer}
        circumstances = self._locked_circumstances(given)
        if circumstances is None:
            return Refused(Reason.NOT_FOUND, "candidate")
        if refused := _refusal(circumstances, max(now, review.decided_at, circumstances["database_now"])):
            return refused
        try:
            with self._session.attempt():
                return self._decide(review, now, given, circumstances)
        except RuleBroken as broken:
            if broken.rule not in ("PV016", "PV018"):
                raise
            return Refused(Reason.TOO_LATE)  # its time ran out between the look and the write

    def _locked_circumstances(self, given: dict[str, str]) -> dict[str, Any] | None:
        """Deployment for share, then candidate, in the order in which a stop takes them; then what stands."""
        candidate = self.candidate(given["candidate"])
        if candidate is None:
            return None
        deployment = {"deployment": candidate.deployment_id}
        self._session.tuples(SHARE_DEPLOYMENT, deployment)
        self._session.tuples("SELECT id FROM deployment WHERE id = %(deployment)s FOR SHARE", deployment)
        self.candidate(given["candidate"], lock=True)
        return self._session.row(_CIRCUMSTANCES, given)

    def _decide(
        self, review: Review, now: datetime, given: dict[str, str], circumstances: dict[str, Any]
    ) -> ConfirmingReview | Review:
        policy = Policy.from_mapping(circumstances["policy"])
        written = {
            **given,
            "id": review.id,
            "decision": review.decision.value,
            "reason": review.reason,
            "decided_at": review.decided_at,
        }
        self._session.change(_ADD_REVIEW, written)
        if review.decision is Decision.CANNOT_TELL:
            return review
        confirms = review.decision is Decision.CONFIRM
        if confirms and self._session.value(_CONFIRMATIONS, given) < policy.reviewers_required:
            return review
        changed = self._session.change(
            _DECIDE,
            {
                **given,
                "now": now,
                "decided_at": review.decided_at,
                "state": (CandidateState.CONFIRMED if confirms else CandidateState.REJECTED).value,
                "confirming": review.id if confirms else None,
                "revisions": 1 if confirms else 0,  # the revision is that of the latest notice: confirmed is the second
            },
        )
        decided = self.candidate(review.candidate_id) if changed == 1 else None
        if decided is None:
            raise RuleBroken("the decision came too late", "PV018", "PV018")
        if not confirms:
            return review
        useful_until = review.decided_at + timedelta(seconds=policy.notice_useful_s)
        return ConfirmingReview(
            review=review,
            candidate=decided,
            message_prefix=policy.message_prefix,
            useful_until=min(useful_until, circumstances["ends_at"]),
        )


class PostgresReviewStore(Store[PostgresReviewWork]):
    """ReviewStore."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, PostgresReviewWork)


def _refusal(found: dict[str, Any], moment: datetime) -> Refused | None:
    state, deployment = CandidateState(found["state"]), DeploymentState(found["deployment_state"])
    if state is CandidateState.EXPIRED or (state is CandidateState.RAISED and moment >= found["decide_by"]):
        return Refused(Reason.TOO_LATE, "nobody decided in time")
    if deployment is not DeploymentState.ACTIVE:
        return Refused(Reason.NOT_ACTIVE, deployment.value)
    if moment >= found["ends_at"]:
        return Refused(Reason.TOO_LATE, "the deployment's window is over")
    if state is not CandidateState.RAISED:
        return Refused(Reason.WRONG_STATE, state.value)
    if found["involved"]:
        return Refused(Reason.SAME_PERSON, "who requested, authorised or listed does not review")
    if not found["reviews"]:
        return Refused(Reason.ROLE_MISSING, "reviewer")
    if not found["member"]:
        return Refused(Reason.NOT_A_MEMBER)
    if not found["trained"]:
        return Refused(Reason.NOT_TRAINED)
    if found["decided"]:
        return Refused(Reason.WRONG_STATE, "you have decided this one already")
    return None
