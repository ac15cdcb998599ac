"""The store of recipients: confirmed candidates as they were told of them, outcomes, holds (S22, S24).

It works with review's login role. Who may record an outcome is asked once more by a trigger, for whoever writes past
this module; the holds that follow from one are a trigger's too.
"""

from datetime import datetime
from typing import Any

from proviso.domain.candidate import CandidateState
from proviso.domain.holds import Hold
from proviso.domain.outcome import Action, Outcome, Result, Takes
from proviso.domain.policy import Policy
from proviso.domain.recipient_ports import Noticed, Particulars
from proviso.domain.review_ports import ShownReference
from proviso.store.audit import AuditTable
from proviso.store.connection import Connector, RuleBroken, Session, Store
from proviso.store.deployments import DEPLOYMENT_OF, HOLD_DEPLOYMENT
from proviso.store.holds import HoldTable
from proviso.store.people import PeopleTable
from proviso.store.shown import ShownCandidates

_NOTICED = """
SELECT c.id, c.deployment_id, c.state, c.camera, c.place, c.captured_at, c.raised_at, c.decided_at AS confirmed_at,
       LEAST(c.decided_at + make_interval(secs => (d.policy ->> 'notice_useful_s')::integer), ended.moment)
           AS useful_until,
       ended.moment AS over_at, d.policy ->> 'message_prefix' AS message_prefix, c.calibrated, c.evidence_key, c.face,
       e.category, c.correlation_id,
       GREATEST(%(now)s, clock_timestamp()) AS asked_at,
       o.id AS outcome_id, o.result, o.action, o.recorded_by, o.recorded_at
FROM candidate c
JOIN deployment d ON d.id = c.deployment_id
JOIN entry e ON e.id = c.entry_id
CROSS JOIN LATERAL (SELECT LEAST(d.ends_at, d.search_until, d.finished_at) AS moment) AS ended
LEFT JOIN LATERAL (
    SELECT id, result, action, recorded_by, recorded_at FROM outcome
    WHERE candidate_id = c.id ORDER BY recorded_at DESC, id DESC LIMIT 1
) AS o ON true
WHERE c.state IN ('confirmed', 'withdrawn')
"""
_ONE = _NOTICED + "AND c.id = %(candidate)s"
_OF_RECIPIENT = (
    _NOTICED
    + """AND c.decided_at > %(since)s AND EXISTS (
    SELECT FROM deployment_member m
    WHERE m.deployment_id = d.id AND m.sub = %(recipient)s AND m.role = 'recipient' AND m.removed_at IS NULL)
ORDER BY c.decided_at DESC, c.id
"""
)
_PARTICULARS = """
SELECT d.grounds ->> 'operator_name' AS controller, d.use, d.grounds ->> 'legal_basis' AS legal_basis, c.policy,
       d.policy AS rules
FROM candidate c JOIN deployment d ON d.id = c.deployment_id WHERE c.id = %(candidate)s
"""
_RECORD = """
INSERT INTO outcome (id, candidate_id, result, action, recorded_by, recorded_at)
VALUES (%(id)s, %(candidate)s, %(result)s, %(action)s, %(by)s, %(at)s)
"""
_MAY_NOT = "PV022"


class PostgresRecipientWork(HoldTable, PeopleTable, AuditTable):
    """RecipientWork."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shown = ShownCandidates(session)

    def noticed(self, candidate_id: str, now: datetime) -> Noticed | None:
        """A candidate that is confirmed, or was."""
        found = self._session.row(_ONE, {"candidate": candidate_id, "now": now})
        return _noticed(found) if found else None

    def noticed_by(self, recipient: str, since: datetime, now: datetime) -> list[Noticed]:
        """Confirmed after then in this recipient's deployments, newest first."""
        given = {"recipient": recipient, "since": since, "now": now}
        return [_noticed(row) for row in self._session.rows(_OF_RECIPIENT, given)]

    def receives_for(self, deployment_id: str, recipient: str) -> bool:
        """Is this person named as a recipient of the deployment?"""
        return bool(
            self._session.value(
                """
                SELECT EXISTS (SELECT FROM deployment_member WHERE deployment_id = %(deployment)s
                               AND sub = %(recipient)s AND role = 'recipient' AND removed_at IS NULL)
                """,
                {"deployment": deployment_id, "recipient": recipient},
            )
        )

    def takes(self, recipient: str) -> Takes:
        """What their contact takes; one that was removed narrows nothing any more."""
        found = self._session.row(
            "SELECT places, categories FROM contact WHERE sub = %(recipient)s AND removed_at IS NULL",
            {"recipient": recipient},
        )
        return Takes(tuple(found["places"]), tuple(found["categories"])) if found else Takes()

    def references(self, candidate_id: str) -> list[ShownReference]:
        """The pictures of its entry; none once they are erased."""
        return self._shown.references(candidate_id)

    def record(self, outcome: Outcome) -> bool:
        """Keep it. False when the trigger finds that this person may not say it."""
        given = {
            "id": outcome.id,
            "candidate": outcome.candidate_id,
            "result": outcome.result.value,
            "action": outcome.action.value,
            "by": outcome.recorded_by,
            "at": outcome.recorded_at,
        }
        # It may end in a suspension (S26): the deployment first, in the order of all locks (0011_monitoring.sql).
        candidate = {"candidate": outcome.candidate_id}
        self._session.tuples(HOLD_DEPLOYMENT, {"deployment": self._session.value(DEPLOYMENT_OF, candidate)})
        self._lock(outcome.candidate_id)
        try:
            with self._session.attempt():
                self._session.change(_RECORD, given)
        except RuleBroken as broken:
            if broken.rule != _MAY_NOT:
                raise
            return False
        return True

    def add_hold(self, hold: Hold) -> bool:
        """As govern's, in the order in which retain takes its locks when it deletes: the row, then its evidence."""
        self._lock(hold.candidate_id)
        return super().add_hold(hold)

    def particulars(self, candidate_id: str) -> Particulars | None:
        """What stands on the slip beside the notice."""
        found = self._session.row(_PARTICULARS, {"candidate": candidate_id})
        return Particulars(**{**found, "rules": Policy.from_mapping(found["rules"])}) if found else None

    def _lock(self, candidate_id: str) -> None:
        self._session.tuples("SELECT id FROM candidate WHERE id = %(candidate)s FOR SHARE", {"candidate": candidate_id})


class PostgresRecipientStore(Store[PostgresRecipientWork]):
    """RecipientStore."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, PostgresRecipientWork)


def _noticed(row: dict[str, Any]) -> Noticed:
    said = ("outcome_id", "result", "action", "recorded_by", "recorded_at")
    outcome = None
    if row["outcome_id"] is not None:
        outcome = Outcome(
            row["outcome_id"],
            row["id"],
            Result(row["result"]),
            Action(row["action"]),
            row["recorded_by"],
            row["recorded_at"],
        )
    values = {name: value for name, value in row.items() if name not in said}
    face = tuple(row["face"]) if row["face"] else None
    return Noticed(**{**values, "state": CandidateState(row["state"]), "face": face, "outcome": outcome})
