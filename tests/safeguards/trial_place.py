"""A deployment that was a site trial, with what it recorded: the search and the candidate are real, the other passages
are written as match would have written them, with the triggers off, since a real trial takes an afternoon."""

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from proviso.domain.deployment import Deployment
from proviso.domain.trial import Passage, count
from proviso.stages import calibration
from tests.safeguards.house import House
from tests.safeguards.past_the_code import calibrate
from tests.samples import CAMERA, policy

POINT = (50, "0.40", 0.001, 0.002)


class TrialPlace:
    """30 passages of a listed person, of which some were found, and 100 of others, of which some raised that person."""

    def __init__(self, house: House, *, found: int = 27, false: int = 2, mated: int = 30, others: int = 100) -> None:
        self.house = house
        house.permitted = policy(calibration_required=True, consent_required=True, version="trial")
        calibrate(house, POINT)
        self.list_id = house.watchlist()
        entry = house.add(self.list_id, consent_reference="form 1")
        house.enrol(self.list_id, entry.id, b"people 3")
        self.reference = entry.reference_no
        self.deployment: Deployment = house.running(self.list_id)
        house.see(3)
        house.stop(self.deployment.id)
        self.began = self.deployment.started_at - timedelta(minutes=12)
        self.plan: list[Passage] = []
        with house.meddling() as connection:
            # As if it had begun earlier; what was really searched lies outside the plan no longer.
            connection.execute("UPDATE deployment SET started_at = %s", (self.began,))
            connection.execute("UPDATE searched_frame SET captured_at = %s", (self.began,))
            connection.execute("UPDATE sighting SET captured_at = %s", (self.began,))
            for number in range(mated + others):
                listed = number < mated
                raised = number < found if listed else number - mated < false
                at = self.began + timedelta(seconds=5 * number)
                self.passage(number, self.reference if listed else f"other-{number}", at)
                if number:  # the first is the one that was really searched
                    self._recorded(connection, f"{CAMERA}/trial/{number}", at, raised)
        self.deployment = house.deployment(self.deployment.id)

    def passage(self, number: int, person: str, at: datetime) -> None:
        self.plan.append(Passage(str(number), person, CAMERA, at, at + timedelta(seconds=4)))

    def _recorded(self, connection: Any, key: str, at: datetime, raised: bool) -> None:
        connection.execute(
            "INSERT INTO searched_frame SELECT %s, deployment_id, camera, %s, searched_at, 1, 0, 1, 0, 0"
            " FROM searched_frame LIMIT 1",
            (key, at),
        )
        if raised:
            connection.execute(
                "INSERT INTO sighting SELECT candidate_id, %s, %s, similarity FROM sighting LIMIT 1", (key, at)
            )

    def readings(self, by: str = "requester") -> Any:
        return calibration.readings(
            principal=self.house.person(by),
            deployment_id=self.deployment.id,
            purpose="the trial",
            store=self.house.govern,
            clock=self.house.now,
        )

    def record(self, by: str = "authoriser", **changed: Any) -> Any:
        given = {"plan": self.plan, "claimed": {}, "deployment_id": self.deployment.id} | changed
        return calibration.record_trial(
            principal=self.house.person(by),
            store=self.house.govern,
            clock=self.house.now,
            new_id=self.house.id,
            **given,
        )

    def write(self, role: str = "govern", trial: dict[str, Any] | None = None, **changed: Any) -> None:
        """A trial written by SQL, past all code: with these counts and values."""
        counts = asdict(self.counted()) | (trial or {})
        values = {
            "id": "forged",
            "pipeline": self.deployment.pipeline,
            "kind": "site_trial",
            "site": self.deployment.place,
            "made_at": self.house.now(),
            "recorded_by": "authoriser",
            "deployment_id": self.deployment.id,
            **changed,
        }
        self.house.sql(
            role,
            "INSERT INTO calibration (id, pipeline, kind, site, made_at, recorded_by, deployment_id, trial)"
            " VALUES (%(id)s, %(pipeline)s, %(kind)s, %(site)s, %(made_at)s, %(recorded_by)s, %(deployment_id)s,"
            " %(trial)s)",
            **values,
            trial=json.dumps(counts),
        )

    def counted(self) -> Any:
        return count(self.plan, self.readings(), self.deployment.id)
