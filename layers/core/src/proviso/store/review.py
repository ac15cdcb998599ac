"""The store of review: what waits for a person, and the one way in which a candidate is decided (S16, S17, S18).

A decision asks the database for everything at the moment of writing: the candidate raised, its time not over by the
caller's clock nor by the database's, the deployment active and in its window, the reviewer not involved. The triggers
ask again, for whoever writes past this module.
"""

from datetime import datetime, timedelta
from typing import Any

from proviso.domain.candidate import CandidateState, ConfirmingReview, Decision, Demographics, Review, Withdrawal
from proviso.domain.deployment import DeploymentState
from proviso.domain.people import Person
from proviso.domain.policy import Policy
from proviso.domain.reasons import Reason, Refused
from proviso.domain.review_ports import Revealed, Shown, ShownReference, StoppedByItself
from proviso.domain.reviewers import ReviewerAnswers
from proviso.domain.seeding import SeededTest, SeedSetting
from proviso.store import rows
from proviso.store.audit import AuditTable
from proviso.store.connection import Connector, RuleBroken, Session, Store
from proviso.store.deployments import DEPLOYMENT_OF, HOLD_DEPLOYMENT, SHARE_DEPLOYMENT
from proviso.store.people import PeopleTable
from proviso.store.reviewers import ReviewerTable
from proviso.store.seeds import SeedTables
from proviso.store.shown import ShownCandidates

_CIRCUMSTANCES = """
SELECT c.deployment_id, c.state, c.decide_by, d.state AS deployment_state, LEAST(d.ends_at, d.search_until) AS ends_at,
       d.policy, e.category, clock_timestamp() AS database_now, is_suspended(d.id) AS suspended,
       EXISTS (SELECT FROM involved_in(d.id) AS i (sub) WHERE i.sub = %(reviewer)s) AS involved,
       EXISTS (SELECT FROM person WHERE sub = %(reviewer)s AND 'reviewer' = ANY (roles)) AS reviews,
       EXISTS (SELECT FROM person WHERE sub = %(reviewer)s AND trained_until > clock_timestamp()) AS trained,
       EXISTS (SELECT FROM deployment_member m WHERE m.deployment_id = d.id AND m.sub = %(reviewer)s
               AND m.role = 'reviewer' AND m.removed_at IS NULL) AS member,
       EXISTS (SELECT FROM review r WHERE r.candidate_id = c.id AND r.reviewer = %(reviewer)s) AS decided
FROM candidate c JOIN deployment d ON d.id = c.deployment_id JOIN entry e ON e.id = c.entry_id
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
_CONFIRMED_BY = """
SELECT r.id, r.candidate_id, r.reviewer, r.decision, r.reason, r.decided_at
FROM candidate c JOIN review r ON r.id = c.confirming_review WHERE c.id = %(candidate)s
"""
_DECIDED_ALREADY = Refused(Reason.WRONG_STATE, "you have decided this one already")
REFUSED_BY = {
    "PV016": Refused(Reason.TOO_LATE),
    "PV017": Refused(Reason.NOT_A_MEMBER),
    "PV018": Refused(Reason.TOO_LATE),
    "PV019": Refused(Reason.NOT_TRAINED),
    "PV119": Refused(Reason.REVIEWER_CAP),
    "PV219": Refused(Reason.ERRS_TOO_OFTEN),
}
"""What the triggers say when something changed between the look and the write, or was never looked at."""


class PostgresReviewWork(AuditTable):
    """ReviewWork."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._people = PeopleTable(session)
        self._shown = ShownCandidates(session)
        self._seeds = SeedTables(session)

    def person(self, sub: str) -> Person | None:
        """Who this account belongs to."""
        return self._people.person(sub)

    def pending(self, now: datetime, reviewer: str) -> list[Shown]:
        """Candidates and this reviewer's tests, newest first."""
        found = self._shown.pending(now, reviewer) + self._seeds.pending(now, reviewer)
        return sorted(found, key=lambda one: (one.raised_at, one.id), reverse=True)

    def decided(self, since: datetime, reviewer: str) -> list[tuple[Shown, Decision]]:
        """Own decisions since then with their times left out, latest first."""
        found = self._shown.decided(since, reviewer) + self._seeds.decided(since, reviewer)
        return [(shown, decision) for _, shown, decision in sorted(found, key=lambda one: one[0], reverse=True)]

    def confirmed_by_others(self, since: datetime, reviewer: str) -> list[Shown]:
        """Real candidates only: a test is confirmed by nobody."""
        return self._shown.confirmed_by_others(since, reviewer)

    def suspended(self, since: datetime, reviewer: str) -> list[StoppedByItself]:
        """What a safeguard stopped of this reviewer's deployments."""
        return self._shown.suspended(since, reviewer)

    def shown(self, candidate_id: str, reviewer: str) -> Shown | None:
        """A candidate, or a test of this reviewer that has come due."""
        return self._shown.one(candidate_id) or self._seeds.one(candidate_id, reviewer)

    def references(self, candidate_id: str, reviewer: str) -> list[ShownReference]:
        """The pictures beside the probe."""
        return self._shown.references(candidate_id) or self._seeds.references(candidate_id, reviewer)

    def reviews_for(self, deployment_id: str, reviewer: str) -> bool:
        """Is this person named as a reviewer of the deployment?"""
        given = {"deployment": deployment_id, "reviewer": reviewer}
        return bool(self._session.value(_MEMBER, given))

    def involved(self, deployment_id: str) -> frozenset[str]:
        """Who requested or authorised it, or added an entry or a reference to its list."""
        found = self._session.tuples("SELECT * FROM involved_in(%(deployment)s)", {"deployment": deployment_id})
        return frozenset(row[0] for row in found)

    def errs_too_often(self, reviewer: str, limit_percent: int) -> bool:
        """By the database's own count of answered tests."""
        given = {"reviewer": reviewer, "limit": limit_percent}
        return bool(self._session.value("SELECT errs_too_often(%(reviewer)s, %(limit)s)", given))

    def decided_within_the_hour(self, reviewer: str, now: datetime) -> int:
        """Candidates and tests."""
        given = {"reviewer": reviewer, "now": now}
        return int(self._session.value("SELECT decided_within_the_hour(%(reviewer)s, %(now)s)", given) or 0)

    def per_hour(self, reviewer: str, now: datetime) -> int | None:
        """By the policies of the deployments that run now."""
        return self._shown.per_hour(reviewer, now)

    def own_review(self, candidate_id: str, reviewer: str) -> Review | None:
        """What this reviewer decided, if anything."""
        found = self._session.row(
            rows.REVIEWS + "WHERE candidate_id = %(candidate)s AND reviewer = %(reviewer)s",
            {"candidate": candidate_id, "reviewer": reviewer},
        )
        return rows.review(found) if found else self._seeds.answer_of(candidate_id, reviewer)

    def revealed(self, candidate_id: str, reviewer: str) -> Revealed | None:
        """For after one's own decision."""
        return self._shown.revealed(candidate_id, reviewer) or self._seeds.revealed(candidate_id, reviewer)

    def decide(self, review: Review, now: datetime) -> ConfirmingReview | Review | Refused:
        """Record a decision and, by it, move the candidate. One decision a reviewer and candidate.

        A confirmation moves it when as many different people confirmed as the policy asks for; until then, and for
        `cannot_tell`, the review alone is recorded and the candidate waits on. One rejection is enough.
        """
        given = {"candidate": review.candidate_id, "reviewer": review.reviewer}
        try:
            with self._session.attempt():
                if (test := self._seeds.one(review.candidate_id, review.reviewer)) is not None:
                    if self._seeds.answer_of(review.candidate_id, review.reviewer) is not None:
                        return _DECIDED_ALREADY
                    return self._seeds.closed(test) or self._seeds.answer(review)
                circumstances = self._locked_circumstances(given, alone=review.decision is Decision.REJECT)
                if circumstances is None:
                    return Refused(Reason.NOT_FOUND, "candidate")
                if refused := _refusal(circumstances, max(now, review.decided_at, circumstances["database_now"])):
                    return refused
                return self._decide(review, now, given, circumstances)
        except RuleBroken as broken:
            if broken.rule not in REFUSED_BY:
                raise
            return REFUSED_BY[broken.rule]

    def withdraw(self, withdrawal: Withdrawal) -> ConfirmingReview | Refused:
        """Take the confirmation back. WRONG_STATE when none stands."""
        given = {"candidate": withdrawal.candidate_id, "reviewer": withdrawal.withdrawn_by}
        circumstances = self._locked_circumstances(given, alone=True)
        if circumstances is None:
            return Refused(Reason.NOT_FOUND, "candidate")
        if circumstances["state"] != CandidateState.CONFIRMED.value:
            return Refused(Reason.WRONG_STATE, circumstances["state"])
        self._session.change(
            """
            INSERT INTO withdrawal (candidate_id, withdrawn_by, reason, withdrawn_at)
            VALUES (%(candidate)s, %(reviewer)s, %(reason)s, %(at)s)
            """,
            {**given, "reason": withdrawal.reason, "at": withdrawal.withdrawn_at},
        )
        self._session.change(
            "UPDATE candidate SET state = 'withdrawn', revision = revision + 1 WHERE id = %(candidate)s", given
        )
        confirmed_by = self._session.row(_CONFIRMED_BY, given)
        if confirmed_by is None:
            raise RuleBroken("a confirmation without its review", "PV016", "PV016")
        return self._proof(rows.review(confirmed_by), circumstances)

    def record_demographics(self, said: Demographics) -> Refused | None:
        """Once a reviewer and candidate."""
        candidate = {"candidate": said.candidate_id}
        self._session.tuples(HOLD_DEPLOYMENT, {"deployment": self._session.value(DEPLOYMENT_OF, candidate)})
        try:
            with self._session.attempt():
                self._session.change(
                    """
                    INSERT INTO demographics (candidate_id, reviewer, sex, age, ethnicity, recorded_at)
                    VALUES (%(candidate)s, %(reviewer)s, %(sex)s, %(age)s, %(ethnicity)s, %(at)s)
                    """,
                    {
                        "candidate": said.candidate_id,
                        "reviewer": said.reviewer,
                        "sex": said.sex.value,
                        "age": said.age.value,
                        "ethnicity": said.ethnicity.value,
                        "at": said.recorded_at,
                    },
                )
        except RuleBroken as broken:
            if broken.duplicate:
                return Refused(Reason.WRONG_STATE, "you have said this already")
            if broken.rule == "PV028":
                return Refused(Reason.WRONG_STATE, "decide first; then say what you saw")
            if broken.rule == "PV128":
                return Refused(Reason.TOO_LATE, "the deployment is over: nothing more is said of groups")
            raise
        return None

    def test_setting(self, deployment_id: str, reviewer: str) -> SeedSetting:
        """What is known for the next tests of this reviewer."""
        return self._seeds.setting(deployment_id, reviewer)

    def add_test(self, test: SeededTest) -> bool:
        """Give the reviewer a test; False when the pool has none of its kind."""
        return self._seeds.add(test)

    def reviewers(self, now: datetime) -> list[ReviewerAnswers]:
        """How everybody with the role answered their tests."""
        return ReviewerTable(self._session).reviewers(now)

    def _locked_circumstances(self, given: dict[str, str], *, alone: bool) -> dict[str, Any] | None:
        """Deployment, then candidate, in the order in which a stop takes them; then what stands. `alone`: what may end
        in a suspension (S26) waits for searches that have begun, now: at its end it waits for nobody any more."""
        found = self._session.value(DEPLOYMENT_OF, given)
        if found is None:
            return None
        deployment = {"deployment": found}
        self._session.tuples(HOLD_DEPLOYMENT if alone else SHARE_DEPLOYMENT, deployment)
        self._session.tuples("SELECT id FROM deployment WHERE id = %(deployment)s FOR SHARE", deployment)
        self._session.tuples("SELECT id FROM candidate WHERE id = %(candidate)s FOR UPDATE", given)
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
        if changed != 1:
            raise RuleBroken("the decision came too late", "PV018", "PV018")
        return self._proof(review, circumstances) if confirms else review

    def _proof(self, review: Review, circumstances: dict[str, Any]) -> ConfirmingReview:
        """The confirmed candidate as it stands now, with what its notice needs."""
        found = self._session.row(rows.CANDIDATES + "WHERE c.id = %(candidate)s", {"candidate": review.candidate_id})
        if found is None:
            raise RuleBroken("the candidate is gone", "PV016", "PV016")
        policy = Policy.from_mapping(circumstances["policy"])
        useful_until = review.decided_at + timedelta(seconds=policy.notice_useful_s)
        return ConfirmingReview(
            review=review,
            candidate=rows.candidate(found),
            message_prefix=policy.message_prefix,
            useful_until=min(useful_until, circumstances["ends_at"]),
            category=circumstances["category"],
            closed=circumstances["deployment_state"] == DeploymentState.CLOSED.value,
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
    if found["suspended"]:
        return Refused(Reason.NOT_ACTIVE, "suspended")
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
        return _DECIDED_ALREADY
    return None
