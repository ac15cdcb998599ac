"""What a deployment must have before it starts, as it stands: calibrations, attestations, decisions (S12, S13, S33,
S37).

What is written here is written once; the database's own rules ask for it again when the state changes.
"""

from proviso.domain.conditions import (
    Attestation,
    Attested,
    Conditions,
    PriorAuthorisation,
)
from proviso.domain.deployment import Deployment
from proviso.domain.errors import Fault
from proviso.store.calibrations import CALIBRATIONS, CalibrationTables, calibration
from proviso.store.connection import RuleBroken


class ConditionTables(CalibrationTables):
    """Conditions, in one transaction."""

    def conditions(self, deployment: Deployment) -> Conditions | None:
        """All that stands for this deployment; None when its build is gone."""
        given = {
            "deployment": deployment.id,
            "build": deployment.build_id,
            "pipeline": deployment.pipeline,
            "place": deployment.place,
            "calibration": deployment.calibration_id,
        }
        built = self._session.row("SELECT built_at, entries FROM build WHERE id = %(build)s", given)
        if built is None:
            return None
        named = self._session.row(CALIBRATIONS + "WHERE c.id = %(calibration)s", given)
        latest = self.calibration_for(deployment.pipeline) if named else None
        listed = self._session.tuples(
            """
            SELECT DISTINCT e.reference_no FROM build_reference b JOIN entry e ON e.id = b.entry_id
            WHERE b.build_id = %(build)s AND e.removed_at IS NULL ORDER BY e.reference_no
            """,
            given,
        )
        pairs = self._session.value(
            "SELECT count(*) FROM test_pair WHERE NOT mated AND can_be_drawn(added_at, removed_at)"
        )
        return Conditions(
            built_at=built["built_at"],
            entries=built["entries"],
            calibration=calibration(named) if named else None,
            trial=self.trial_at(deployment.pipeline, deployment.place),
            burst_frames=deployment.burst_frames,
            attestations=tuple(self.attestations(deployment.id)),
            decisions=tuple(self.decisions(deployment.id)),
            listed=tuple(str(row[0]) for row in listed),
            test_pairs=int(pairs or 0),
            superseded=latest is not None and latest.id != deployment.calibration_id,
        )

    def attest(self, attestation: Attestation) -> bool:
        """Write it down. False when one of its kind is there already: what was attested stays as it was."""
        names = ("deployment_id", "statement", "made_by", "made_at", "published_at")
        try:
            with self._session.attempt():
                self._session.change(
                    """
                    INSERT INTO attestation (deployment_id, kind, statement, made_by, made_at, published_at)
                    VALUES (%(deployment_id)s, %(kind)s, %(statement)s, %(made_by)s, %(made_at)s, %(published_at)s)
                    """,
                    {**{name: getattr(attestation, name) for name in names}, "kind": attestation.kind.value},
                )
        except RuleBroken as broken:
            if not broken.duplicate:
                raise
            return False
        return True

    def attestations(self, deployment_id: str) -> list[Attestation]:
        """What was attested, by kind."""
        found = self._session.rows(
            """
            SELECT deployment_id, kind, statement, made_by, made_at, published_at FROM attestation
            WHERE deployment_id = %(deployment)s ORDER BY kind
            """,
            {"deployment": deployment_id},
        )
        return [Attestation(**{**row, "kind": Attested(row["kind"])}) for row in found]

    def record_decision(self, decision: PriorAuthorisation) -> None:
        """A court's or an authority's decision. From this statement on it counts: `search_until` follows by trigger.
        RuleBroken PV037 when it does not fit the deployment, or when one of this reference is there."""
        names = (
            "id",
            "deployment_id",
            "body",
            "reference",
            "decided_on",
            "document_sha256",
            "granted",
            "place",
            "valid_from",
            "valid_until",
            "recorded_by",
            "recorded_at",
        )
        changed = self._session.change(
            """
            INSERT INTO prior_authorisation (id, deployment_id, body, reference, decided_on, document_sha256, granted,
                                             place, valid_from, valid_until, persons, recorded_by, recorded_at)
            VALUES (%(id)s, %(deployment_id)s, %(body)s, %(reference)s, %(decided_on)s, %(document_sha256)s,
                    %(granted)s, %(place)s, %(valid_from)s, %(valid_until)s, %(persons)s, %(recorded_by)s,
                    %(recorded_at)s)
            """,
            {**{name: getattr(decision, name) for name in names}, "persons": list(decision.persons)},
        )
        if changed != 1:
            raise Fault("the decision was not recorded")

    def decisions(self, deployment_id: str) -> list[PriorAuthorisation]:
        """What was decided, oldest first."""
        found = self._session.rows(
            """
            SELECT id, deployment_id, body, reference, decided_on, document_sha256, granted, place, valid_from,
                   valid_until, persons, recorded_by, recorded_at
            FROM prior_authorisation WHERE deployment_id = %(deployment)s ORDER BY recorded_at, id
            """,
            {"deployment": deployment_id},
        )
        return [PriorAuthorisation(**{**row, "persons": tuple(row["persons"])}) for row in found]
