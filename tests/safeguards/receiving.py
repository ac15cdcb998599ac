"""What a recipient does, on a house: see, look, record, hold; and time that has passed since a confirmation."""

from datetime import timedelta
from typing import Any

from proviso.domain.outcome import Action, Result
from proviso.domain.people import Member, Person, Role
from proviso.domain.reasons import Refused
from proviso.domain.recipient_ports import Noticed
from proviso.stages import recipient
from proviso.store.recipient import PostgresRecipientStore
from tests.safeguards.house import House

DAY = timedelta(hours=24)
OUTCOME = (
    "INSERT INTO outcome (id, candidate_id, result, action, recorded_by, recorded_at)"
    " VALUES ('o-' || gen_random_uuid(), %(id)s, {result}, {action}, {by}, {at})"
)


class Receiving:
    """A house with a confirmed candidate, and somebody who was told of it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.store = PostgresRecipientStore(house.connector("review"))
        self.deployment = ""

    def confirmed(self, **changed: Any) -> str:
        """A candidate that was raised and confirmed just now. Its id."""
        list_id, _ = self.house.listed(3, 4)
        active = self.house.running(list_id, **changed)
        self.deployment = active.id
        self.named("recipient")
        return self.another(3)

    def another(self, who: int) -> str:
        """One more in the same deployment."""
        before = {one["id"] for one in self.house.candidates}
        self.house.see(who)
        (candidate,) = (one["id"] for one in self.house.candidates if one["id"] not in before)
        self.house.decide(candidate)
        return str(candidate)

    def registered(self, sub: str, *roles: Role) -> None:
        with self.house.govern.work() as work:
            work.register(Person(sub, frozenset(roles), self.house.now() + timedelta(days=1)))

    def named(self, sub: str, role: Role = Role.RECIPIENT) -> None:
        """Registered in that role alone, and named for the deployment."""
        self.registered(sub, role)
        with self.house.govern.work() as work:
            work.add_member(Member(self.deployment, sub, role, "requester", self.house.now()))

    def contact(self, sub: str = "recipient", places: str = "{}", categories: str = "{}") -> None:
        self.house.sql(
            "govern",
            "INSERT INTO contact (sub, email, language, places, categories, set_by, set_at)"
            " VALUES (%(sub)s, 'somebody@example.org', 'en', %(places)s, %(categories)s, 'requester', now())",
            sub=sub,
            places=places,
            categories=categories,
        )

    # --- what they do ---

    def notices(self, by: str = "recipient") -> list[Noticed] | Refused:
        found = recipient.notices(principal=self.house.person(by), store=self.store, clock=self.house.now)
        return found if isinstance(found, Refused) else list(found.notices)

    def look(self, candidate: str, by: str = "recipient") -> Any:
        return recipient.look(
            principal=self.house.person(by), candidate_id=candidate, store=self.store, clock=self.house.now
        )

    def picture(self, candidate: str, reference: str | None = None, by: str = "recipient") -> Any:
        return recipient.picture(
            principal=self.house.person(by),
            candidate_id=candidate,
            reference_id=reference,
            store=self.store,
            evidence=self.house.evidence,
            enrolment=self.house.enrolment,
            clock=self.house.now,
        )

    def record(
        self, candidate: str, result: Result = Result.ENGAGED_RIGHT, action: Action = Action.NONE, by: str = "recipient"
    ) -> Any:
        return recipient.record(
            principal=self.house.person(by),
            candidate_id=candidate,
            result=result,
            action=action,
            store=self.store,
            changes=self.house.changes,
            clock=self.house.now,
            new_id=self.house.id,
        )

    def slip(self, candidate: str, by: str = "recipient") -> Any:
        return recipient.slip(
            principal=self.house.person(by), candidate_id=candidate, store=self.store, clock=self.house.now
        )

    def hold(self, candidate: str, reason: str = "asked for it", by: str = "recipient") -> Any:
        return recipient.hold(
            principal=self.house.person(by),
            candidate_id=candidate,
            reason=reason,
            store=self.store,
            clock=self.house.now,
            new_id=self.house.id,
        )

    def written(
        self,
        role: str,
        candidate: str,
        by: str = "recipient",
        result: str = "engaged_right",
        action: str = "none",
        at: str = "now()",
    ) -> None:
        """An outcome at the level of a login role, past all code."""
        statement = OUTCOME.format(result=f"'{result}'", action=f"'{action}'", by=f"'{by}'", at=at)
        self.house.sql(role, statement, id=candidate)

    # --- what there is ---

    def outcomes(self) -> list[tuple[str, str, str]]:
        """(result, action, by), in their order."""
        found = self.house.sql("master", "SELECT result, action, recorded_by FROM outcome ORDER BY recorded_at, id")
        return [(one["result"], one["action"], one["recorded_by"]) for one in found]

    def holds(self) -> list[tuple[str, str]]:
        """(kind, by) of those that stand."""
        found = self.house.sql(
            "master",
            "SELECT kind, held_by FROM evidence_hold WHERE released_at IS NULL AND until > now() ORDER BY kind",
        )
        return [(one["kind"], one["held_by"]) for one in found]

    def acts(self, action: str) -> list[bytes]:
        """Records of such an act in the deployment's chain."""
        with self.house.govern.work() as work:
            return [one.body for one in work.audit_records(self.deployment) if f'"{action}"'.encode() in one.body]

    def later(self, by: timedelta, but: str = "") -> None:
        """As if the candidates had been seen and decided so long ago, while their deployment goes on."""
        with self.house.meddling() as master:
            master.execute(
                "UPDATE candidate SET captured_at = captured_at - %(by)s, raised_at = raised_at - %(by)s,"
                " decide_by = decide_by - %(by)s, last_sighting_at = last_sighting_at - %(by)s,"
                " decided_at = decided_at - %(by)s WHERE id <> %(but)s",
                {"by": by, "but": but},
            )
            master.execute("UPDATE review SET decided_at = decided_at - %(by)s", {"by": by})
