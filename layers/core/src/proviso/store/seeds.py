"""Seeded tests of reviewers (S19), in tables of their own: nothing that counts, sends or publishes reads them."""

from datetime import datetime

from proviso.domain.candidate import CandidateState, Decision, Review
from proviso.domain.reasons import Reason, Refused
from proviso.domain.review_ports import Revealed, Shown, ShownReference
from proviso.domain.seeding import SeededTest, SeedSetting, shown_reference_id
from proviso.store.connection import RuleBroken, Session
from proviso.store.shown import OPEN, RULES, shown

# In the shape of a candidate. A pair that was removed takes its unanswered tests away, as a stop does a candidate.
_SHOWN = (
    """
SELECT t.id, t.deployment_id, t.camera, t.place, t.captured_at, t.raised_at, t.decide_by, p.probe_key AS evidence_key,
       CASE WHEN t.decision = 'confirm' THEN 'confirmed' WHEN t.decision = 'reject' THEN 'rejected'
            WHEN d.state <> 'active' OR p.removed_at IS NOT NULL THEN 'frozen'
            WHEN clock_timestamp() >= t.decide_by THEN 'expired' ELSE 'raised' END AS state,
       p.probe_face AS face,
       d.state <> 'closed' AND p.removed_at IS NULL AND clock_timestamp() < t.raised_at + interval '12 hours'
           AS open_to_view,"""
    + RULES
    + """FROM test_candidate t JOIN deployment d ON d.id = t.deployment_id JOIN test_pair p ON p.id = t.pair_id
WHERE t.reviewer = %(reviewer)s
"""
)
_PENDING = (
    _SHOWN
    + """ AND t.decision IS NULL AND t.raised_at <= %(now)s AND %(now)s < t.decide_by AND p.removed_at IS NULL AND """
    + OPEN
)
_DECIDED = _SHOWN.replace("p.probe_face AS face,", "p.probe_face AS face, t.decision, t.decided_at,") + (
    " AND t.decided_at >= %(since)s"
)
_ONE = " AND t.id = %(test)s AND t.raised_at <= clock_timestamp()"
_SETTING = """
SELECT COALESCE((d.policy ->> 'test_candidates_percent')::integer, 0) AS percent,
       (d.policy ->> 'decide_within_s')::integer AS decide_within_s,
       d.place, LEAST(d.ends_at, d.search_until) AS ends_at,
       ARRAY(SELECT k.camera FROM deployment_camera k WHERE k.deployment_id = d.id ORDER BY k.position) AS cameras,
       (SELECT count(*) FROM review r JOIN candidate c ON c.id = r.candidate_id
        WHERE c.deployment_id = d.id AND r.reviewer = %(reviewer)s) AS decided,
       (SELECT count(*) FROM test_candidate t JOIN test_pair p ON p.id = t.pair_id
        WHERE t.deployment_id = d.id AND t.reviewer = %(reviewer)s
          AND (t.decision IS NOT NULL OR p.removed_at IS NULL)) AS given,
       ARRAY(SELECT extract(epoch FROM c.raised_at - c.captured_at)::double precision FROM candidate c
             WHERE c.deployment_id = d.id ORDER BY c.raised_at DESC LIMIT 20) AS lags_s,
       (SELECT count(*) FROM test_candidate t WHERE t.reviewer = %(reviewer)s AND t.mated) AS mates,
       (SELECT count(*) FROM test_candidate t WHERE t.reviewer = %(reviewer)s AND NOT t.mated) AS non_mates
FROM deployment d WHERE d.id = %(deployment)s
"""
# The pair that this reviewer saw least, and none that they added; among those, by a hash of the test's own id, which
# nobody foresees.
_DRAW = """
INSERT INTO test_candidate (id, deployment_id, reviewer, pair_id, mated, camera, place, captured_at, raised_at,
                            decide_by)
SELECT %(id)s, %(deployment)s, %(reviewer)s, p.id, p.mated, %(camera)s, %(place)s, %(captured_at)s, %(raised_at)s,
       %(decide_by)s
FROM test_pair p
WHERE p.mated = %(mated)s AND can_be_drawn(p.added_at, p.removed_at) AND p.added_by <> %(reviewer)s
  -- Once answered, its answer was shown: asked again, it would measure memory.
  AND NOT EXISTS (SELECT FROM test_candidate t
                  WHERE t.pair_id = p.id AND t.reviewer = %(reviewer)s AND t.decision IS NOT NULL)
ORDER BY (SELECT count(*) FROM test_candidate t WHERE t.pair_id = p.id AND t.reviewer = %(reviewer)s),
         md5(p.id || %(id)s)
LIMIT 1
"""
_ANSWER = """
UPDATE test_candidate SET decision = %(decision)s, reason = %(reason)s, decided_at = %(at)s
WHERE id = %(test)s AND reviewer = %(reviewer)s
"""


class SeedTables:
    """A reviewer's tests, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def pending(self, now: datetime, reviewer: str) -> list[Shown]:
        """Come due, unanswered and in time."""
        return [shown(row, seeded=True) for row in self._session.rows(_PENDING, {"now": now, "reviewer": reviewer})]

    def decided(self, since: datetime, reviewer: str) -> list[tuple[datetime, Shown, Decision]]:
        """What they answered since then."""
        found = self._session.rows(_DECIDED, {"since": since, "reviewer": reviewer})
        return [(row["decided_at"], shown(row, seeded=True), Decision(row["decision"])) for row in found]

    def one(self, test_id: str, reviewer: str) -> Shown | None:
        """One test of this reviewer that has come due."""
        found = self._session.row(_SHOWN + _ONE, {"test": test_id, "reviewer": reviewer})
        return shown(found, seeded=True) if found else None

    def references(self, test_id: str, reviewer: str) -> list[ShownReference]:
        """The other picture of the pair. Its id says nothing about the pair."""
        found = self._session.row(
            """
            SELECT p.id, p.reference_key, p.reference_face
            FROM test_candidate t JOIN test_pair p ON p.id = t.pair_id
            WHERE t.id = %(test)s AND t.reviewer = %(reviewer)s
            """,
            {"test": test_id, "reviewer": reviewer},
        )
        if found is None:
            return []
        name = shown_reference_id(test_id, found["id"])
        return [ShownReference(name, found["reference_key"], tuple(found["reference_face"]))]

    def answer_of(self, test_id: str, reviewer: str) -> Review | None:
        """What they answered, in the shape of a review."""
        found = self._session.row(
            """
            SELECT id, decision, reason, decided_at FROM test_candidate
            WHERE id = %(test)s AND reviewer = %(reviewer)s AND decision IS NOT NULL
            """,
            {"test": test_id, "reviewer": reviewer},
        )
        if found is None:
            return None
        return Review(found["id"], test_id, reviewer, Decision(found["decision"]), found["reason"], found["decided_at"])

    def revealed(self, test_id: str, reviewer: str) -> Revealed | None:
        """That it was a test, and what was right."""
        found = self._session.row(
            """
            SELECT p.similarity, t.mated, d.policy ->> 'name' AS name, d.policy ->> 'version' AS version,
                   d.threshold, d.calibrated
            FROM test_candidate t JOIN test_pair p ON p.id = t.pair_id JOIN deployment d ON d.id = t.deployment_id
            WHERE t.id = %(test)s AND t.reviewer = %(reviewer)s AND t.decision IS NOT NULL
            """,
            {"test": test_id, "reviewer": reviewer},
        )
        if found is None:
            return None
        return Revealed(
            similarity=found["similarity"],
            threshold=found["threshold"],
            calibrated=found["calibrated"],
            policy=f"{found['name']} {found['version']}",
            category=None,
            listing_reason=None,
            others=(),
            demographics_recorded=True,
            test_mated=found["mated"],
        )

    def closed(self, shown_test: Shown) -> Refused | None:
        """Why it cannot be answered, in the words that a candidate has for it."""
        if shown_test.state is CandidateState.EXPIRED:
            return Refused(Reason.TOO_LATE, "nobody decided in time")
        if shown_test.state is not CandidateState.FROZEN:
            return None
        given = {"deployment": shown_test.deployment_id}
        state = str(self._session.value("SELECT state FROM deployment WHERE id = %(deployment)s", given))
        if state != "active":
            return Refused(Reason.NOT_ACTIVE, state)
        return Refused(Reason.WRONG_STATE, CandidateState.FROZEN.value)

    def answer(self, review: Review) -> Review:
        """Record an answer. RuleBroken when it was answered, came too late, or the deployment does not run."""
        changed = self._session.change(
            _ANSWER,
            {
                "test": review.candidate_id,
                "reviewer": review.reviewer,
                "decision": review.decision.value,
                "reason": review.reason,
                "at": review.decided_at,
            },
        )
        if changed != 1:
            raise RuleBroken("the answer came too late", "PV018", "PV018")
        return review

    def setting(self, deployment_id: str, reviewer: str) -> SeedSetting:
        """What is known for the next tests."""
        found = self._session.row(_SETTING, {"deployment": deployment_id, "reviewer": reviewer})
        if found is None:
            raise RuleBroken("no such deployment", "PV019", "PV019")
        return SeedSetting(**{**found, "cameras": tuple(found["cameras"]), "lags_s": tuple(found["lags_s"])})

    def add(self, test: SeededTest) -> bool:
        """Draw a pair and give it to the reviewer; False when there is none of this kind, or when the database refuses
        it: the decision after which it comes is recorded all the same."""
        given = {
            "id": test.id,
            "deployment": test.deployment_id,
            "reviewer": test.reviewer,
            "mated": test.mated,
            "camera": test.camera,
            "place": test.place,
            "captured_at": test.captured_at,
            "raised_at": test.raised_at,
            "decide_by": test.decide_by,
        }
        try:
            with self._session.attempt():
                return self._session.change(_DRAW, given) == 1
        except RuleBroken as broken:
            if broken.rule != "PV019":
                raise
            return False
