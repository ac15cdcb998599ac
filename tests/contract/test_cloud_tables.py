"""Contracts of the ports that are DynamoDB tables: each case runs against moto and against the fake."""

import dataclasses
import itertools
import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proviso.cloud.ledger import DynamoLedger
from proviso.cloud.notices import DynamoNotices
from proviso.domain.errors import StorageFault
from proviso.domain.folding import fold_hour
from proviso.domain.frame import Counts, LedgerEntry, Outcome
from proviso.domain.notice import Kind, Notice
from proviso.domain.ports import NoticeClaim
from proviso.domain.reasons import Reason
from tests.contract.conftest import Cloud, OneAtATime
from tests.contract.samples import CAMERA, CANDIDATE, FRAME, NOW, notice, refused, searched
from tests.fakes.cloud import FakeLedger, FakeNotices

BOTH = pytest.mark.parametrize("kind", ["fake", "dynamodb"])
LEASE_S = 30
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def notices_table(cloud: Cloud) -> str:
    """One table for all candidates: each case has its own candidate."""
    return cloud.notices_table()


@pytest.fixture(scope="module")
def ledger_table(cloud: Cloud) -> str:
    return cloud.ledger_table()


@BOTH
class TestLedger:
    @pytest.fixture
    def ledger(self, kind: str, cloud: Cloud) -> Any:
        if kind == "fake":
            return FakeLedger(clock=lambda: NOW)
        client = OneAtATime(cloud.client("dynamodb"))
        return DynamoLedger(client, cloud.ledger_table(), lambda: NOW, page=2)

    def test_a_row_begins_as_received_and_says_so_again(self, ledger: Any) -> None:
        first = ledger.received(FRAME, CAMERA, NOW)
        assert first == LedgerEntry(key=FRAME, outcome=Outcome.RECEIVED, received_at=NOW, camera=CAMERA)
        assert ledger.received(FRAME, CAMERA, NOW + timedelta(minutes=1)) == first
        assert ledger.get(FRAME) == first

    def test_a_frame_without_a_camera_has_a_row_too(self, ledger: Any) -> None:
        assert ledger.received("what?.txt", None, NOW).camera is None
        assert ledger.get("what?.txt").camera is None
        assert ledger.get("other") is None

    def test_a_final_outcome_is_set_once_and_keeps_all_it_was_given(self, ledger: Any) -> None:
        ledger.received(FRAME, CAMERA, NOW - timedelta(seconds=1))
        assert ledger.finish(searched()) is True
        assert ledger.finish(refused()) is False
        assert ledger.finish(searched()) is False
        assert ledger.get(FRAME) == searched()
        assert ledger.received(FRAME, CAMERA, NOW) == searched()

    @pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.RECEIVED])
    def test_every_final_outcome_is_final(self, ledger: Any, outcome: Outcome) -> None:
        ledger.received(FRAME, CAMERA, NOW)
        entry = dataclasses.replace(refused(), outcome=outcome, reason=None)
        assert ledger.finish(entry)
        assert not any(
            ledger.finish(dataclasses.replace(entry, outcome=other)) for other in set(Outcome) - {"received"}
        )
        assert ledger.get(FRAME).outcome is outcome

    def test_received_is_not_an_outcome_to_finish_with(self, ledger: Any) -> None:
        with pytest.raises(ValueError):
            ledger.finish(dataclasses.replace(refused(), outcome=Outcome.RECEIVED))
        assert ledger.get(FRAME) is None

    def test_what_received_wrote_stays(self, ledger: Any) -> None:
        ledger.received(FRAME, CAMERA, NOW - timedelta(minutes=3))
        ledger.finish(dataclasses.replace(refused(), camera=None))
        assert ledger.get(FRAME).received_at == NOW - timedelta(minutes=3)
        assert ledger.get(FRAME).camera == CAMERA

    def test_without_a_row_finish_writes_it(self, ledger: Any) -> None:
        assert ledger.finish(refused()) is True
        assert ledger.get(FRAME) == refused()
        assert ledger.received(FRAME, CAMERA, NOW).outcome is Outcome.REFUSED

    def test_the_time_of_the_outcome_comes_from_the_clock_where_none_is_given(self, ledger: Any) -> None:
        ledger.finish(refused(finished_at=None))
        assert ledger.get(FRAME).finished_at == NOW

    @pytest.mark.parametrize("row", [True, False])
    def test_of_many_that_finish_at_once_one_wins(self, ledger: Any, row: bool) -> None:
        for attempt in range(5):
            key = f"gate-1/{attempt}"
            if row:
                ledger.received(key, CAMERA, NOW)
            start, won = threading.Barrier(8), []

            def finish(number: int, key: str = key, start: threading.Barrier = start, won: list[bool] = won) -> None:
                entry = refused(key) if number % 2 else searched(key)
                start.wait()
                won.append(ledger.finish(entry))

            threads = [threading.Thread(target=finish, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(won) == [False] * 7 + [True]

    def test_shows_what_ended_unsearched_by_the_hour_of_its_end_and_nothing_else(self, ledger: Any) -> None:
        ledger.received("received", CAMERA, NOW)
        ledger.finish(dataclasses.replace(searched("searched"), finished_at=NOW - timedelta(hours=2)))
        hours = [NOW - timedelta(hours=n) for n in range(5)]
        for number, hour in enumerate(hours):
            ledger.finish(refused(f"hour-{number}", hour))
            ledger.finish(refused(f"another-{number}", hour))
        for number, hour in enumerate(hours):
            rows = sorted(ledger.not_searched(fold_hour(hour)), key=lambda row: row.key)
            assert [row.key for row in rows] == [f"another-{number}", f"hour-{number}"]
        assert list(ledger.not_searched(fold_hour(NOW + timedelta(hours=1)))) == []

    def test_shows_of_it_what_is_folded_and_as_often_as_one_asks(self, ledger: Any) -> None:
        ledger.finish(refused())
        for _ in range(2):
            (row,) = ledger.not_searched(fold_hour(refused().finished_at))
            full = ledger.get(FRAME)
            assert row == dataclasses.replace(full, detail="", counts=Counts(), stages=(), deployment_id=None)
            assert (row.camera, row.outcome, row.reason) == (full.camera, Outcome.REFUSED, full.reason)


class TestLedgerOnDynamo:
    def test_more_rows_than_a_page(self, cloud: Cloud) -> None:
        ledger = DynamoLedger(cloud.client("dynamodb"), cloud.ledger_table(), lambda: NOW, page=7)
        for number in range(50):
            ledger.finish(refused(f"{number:02d}"))
        assert len(ledger.entries()) == 50
        assert len({row.key for row in ledger.not_searched(fold_hour(refused().finished_at))}) == 50

    def test_rows_expire(self, cloud: Cloud) -> None:
        client, table, now = cloud.client("dynamodb"), cloud.ledger_table(), [NOW]
        ledger = DynamoLedger(client, table, lambda: now[0], kept=timedelta(days=3))

        def expires() -> int:
            return int(client.get_item(TableName=table, Key={"frame_key": {"S": FRAME}})["Item"]["expires_at"]["N"])

        ledger.received(FRAME, CAMERA, NOW)
        assert expires() == int((NOW + timedelta(days=3)).timestamp())
        now[0] += timedelta(hours=1)
        ledger.finish(refused())
        assert expires() == int((NOW + timedelta(days=3, hours=1)).timestamp())

    def test_a_row_of_another_kind_is_a_fault_that_names_it(self, cloud: Cloud) -> None:
        client, table = cloud.client("dynamodb"), cloud.ledger_table()
        client.put_item(TableName=table, Item={"frame_key": {"S": FRAME}, "outcome": {"S": "lost"}})
        with pytest.raises(StorageFault, match=FRAME):
            DynamoLedger(client, table, lambda: NOW).get(FRAME)

    @pytest.mark.parametrize("reason", list(Reason))
    def test_every_reason_comes_back(self, cloud: Cloud, ledger_table: str, reason: Reason) -> None:
        ledger = DynamoLedger(cloud.client("dynamodb"), ledger_table, lambda: NOW)
        entry = dataclasses.replace(refused(reason.value), reason=reason, detail="", camera=None)
        ledger.finish(entry)
        assert ledger.get(reason.value) == entry


@BOTH
class TestNoticeLedger:
    @pytest.fixture
    def notices(self, kind: str, cloud: Cloud, notices_table: str) -> Any:
        return FakeNotices() if kind == "fake" else DynamoNotices(OneAtATime(cloud.client("dynamodb")), notices_table)

    @pytest.fixture
    def candidate(self) -> str:
        return f"candidate-{next(_numbers)}"

    def test_the_first_may_send_a_second_waits_and_then_is_a_duplicate(self, notices: Any, candidate: str) -> None:
        raised = notice(Kind.RAISED, candidate)
        assert notices.claim(raised, NOW, LEASE_S) is NoticeClaim.MINE
        assert notices.claim(raised, NOW + timedelta(seconds=LEASE_S), LEASE_S) is NoticeClaim.BUSY
        notices.settle(raised, "sent", NOW + timedelta(seconds=1))
        assert notices.claim(raised, NOW + timedelta(hours=1), LEASE_S) is NoticeClaim.SENT

    @pytest.mark.parametrize("outcome", ["sent", "stale", "withheld", "nobody", "sent_in_part"])
    @pytest.mark.parametrize("kind_of_notice", [Kind.RAISED, Kind.CONFIRMED])
    def test_whatever_became_of_it_it_is_done(
        self, notices: Any, candidate: str, outcome: str, kind_of_notice: Kind
    ) -> None:
        this = notice(kind_of_notice, candidate)
        notices.claim(this, NOW, LEASE_S)
        notices.settle(this, outcome, NOW)
        assert notices.claim(this, NOW + timedelta(hours=1), LEASE_S) is NoticeClaim.SENT

    def test_a_claim_that_was_never_settled_lapses(self, notices: Any, candidate: str) -> None:
        raised = notice(Kind.RAISED, candidate)
        notices.claim(raised, NOW, LEASE_S)
        later = NOW + timedelta(seconds=LEASE_S, milliseconds=1)
        assert notices.claim(raised, later, LEASE_S) is NoticeClaim.MINE
        assert notices.claim(raised, later, LEASE_S) is NoticeClaim.BUSY

    def test_a_lower_revision_is_dropped(self, notices: Any, candidate: str) -> None:
        assert notices.claim(notice(Kind.CONFIRMED, candidate), NOW, LEASE_S) is NoticeClaim.MINE
        assert notices.claim(notice(Kind.RAISED, candidate), NOW, LEASE_S) is NoticeClaim.SUPERSEDED
        notices.settle(notice(Kind.CONFIRMED, candidate), "sent", NOW)
        assert notices.claim(notice(Kind.RAISED, candidate), NOW, LEASE_S) is NoticeClaim.SUPERSEDED

    def test_settling_the_lower_revision_late_does_not_touch_the_higher(self, notices: Any, candidate: str) -> None:
        raised, confirmed = notice(Kind.RAISED, candidate), notice(Kind.CONFIRMED, candidate)
        notices.claim(raised, NOW, LEASE_S)
        assert notices.claim(confirmed, NOW, LEASE_S) is NoticeClaim.MINE
        notices.settle(raised, "sent", NOW)
        assert notices.claim(confirmed, NOW, LEASE_S) is NoticeClaim.BUSY
        notices.settle(confirmed, "sent", NOW)
        assert notices.claim(confirmed, NOW, LEASE_S) is NoticeClaim.SENT

    def test_a_withdrawal_follows_a_confirmation_that_was_sent(self, notices: Any, candidate: str) -> None:
        confirmed, withdrawn = notice(Kind.CONFIRMED, candidate), notice(Kind.WITHDRAWN, candidate)
        notices.claim(confirmed, NOW, LEASE_S)
        notices.settle(confirmed, "sent", NOW)
        assert notices.claim(withdrawn, NOW, LEASE_S) is NoticeClaim.MINE
        assert notices.claim(withdrawn, NOW, LEASE_S) is NoticeClaim.BUSY
        assert notices.claim(confirmed, NOW, LEASE_S) is NoticeClaim.SUPERSEDED
        notices.settle(withdrawn, "sent", NOW)
        assert notices.claim(withdrawn, NOW, LEASE_S) is NoticeClaim.SENT

    @pytest.mark.parametrize("before", [None, Kind.RAISED])
    def test_a_withdrawal_of_what_never_went_out_is_noted(
        self, notices: Any, candidate: str, before: Kind | None
    ) -> None:
        if before:
            notices.claim(notice(before, candidate), NOW, LEASE_S)
            notices.settle(notice(before, candidate), "sent", NOW)
        withdrawn = notice(Kind.WITHDRAWN, candidate)
        assert notices.claim(withdrawn, NOW, LEASE_S) is NoticeClaim.NOT_TRIED
        assert notices.claim(withdrawn, NOW, LEASE_S) is NoticeClaim.NOT_TRIED
        late = notices.claim(notice(Kind.CONFIRMED, candidate), NOW + timedelta(hours=1), LEASE_S)
        assert late is NoticeClaim.SUPERSEDED

    @pytest.mark.parametrize("outcome", ["stale", "withheld", "nobody"])
    def test_a_confirmation_that_was_held_back_needs_no_withdrawal(
        self, notices: Any, candidate: str, outcome: str
    ) -> None:
        confirmed = notice(Kind.CONFIRMED, candidate)
        notices.claim(confirmed, NOW, LEASE_S)
        notices.settle(confirmed, outcome, NOW)
        assert notices.claim(notice(Kind.WITHDRAWN, candidate), NOW, LEASE_S) is NoticeClaim.NOT_TRIED

    def test_a_withdrawal_waits_for_a_confirmation_that_is_being_sent(self, notices: Any, candidate: str) -> None:
        confirmed, withdrawn = notice(Kind.CONFIRMED, candidate), notice(Kind.WITHDRAWN, candidate)
        notices.claim(confirmed, NOW, LEASE_S)
        assert notices.claim(withdrawn, NOW, LEASE_S) is NoticeClaim.BUSY
        notices.settle(confirmed, "sent", NOW)
        assert notices.claim(withdrawn, NOW, LEASE_S) is NoticeClaim.MINE

    def test_a_confirmation_whose_sender_died_may_have_gone_out(self, notices: Any, candidate: str) -> None:
        notices.claim(notice(Kind.CONFIRMED, candidate), NOW, LEASE_S)
        later = NOW + timedelta(seconds=LEASE_S + 1)
        assert notices.claim(notice(Kind.WITHDRAWN, candidate), later, LEASE_S) is NoticeClaim.MINE

    def test_settling_late_after_the_withdrawal_does_not_reopen(self, notices: Any, candidate: str) -> None:
        confirmed, withdrawn = notice(Kind.CONFIRMED, candidate), notice(Kind.WITHDRAWN, candidate)
        notices.claim(confirmed, NOW, LEASE_S)
        later = NOW + timedelta(seconds=LEASE_S + 1)
        assert notices.claim(withdrawn, later, LEASE_S) is NoticeClaim.MINE
        notices.settle(confirmed, "sent", later)
        assert notices.claim(withdrawn, later, LEASE_S) is NoticeClaim.BUSY
        notices.settle(withdrawn, "sent", later)
        assert notices.claim(confirmed, later + timedelta(hours=1), LEASE_S) is NoticeClaim.SUPERSEDED

    def test_of_many_that_claim_at_once_one_may_send(self, notices: Any, candidate: str) -> None:
        start, answers = threading.Barrier(8), []

        def claim() -> None:
            start.wait()
            answers.append(notices.claim(notice(Kind.CONFIRMED, candidate), NOW, LEASE_S))

        threads = [threading.Thread(target=claim) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(answers) == {NoticeClaim.MINE: 1, NoticeClaim.BUSY: 7}

    @settings(
        derandomize=True,
        deadline=None,
        max_examples=120,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from(list(Kind)),
                st.sampled_from(["claim", "settle sent", "settle stale", "settle withheld", "settle nobody"]),
                st.sampled_from([0, 1, LEASE_S + 1]),
            ),
            max_size=14,
        )
    )
    def test_in_any_order_and_number_no_kind_is_sent_twice_and_nothing_after_its_withdrawal(
        self, notices: Any, steps: list[tuple[Kind, str, int]]
    ) -> None:
        """A claimed notice is settled by its claimer only, as alert does; a claimer may also die (never settle)."""
        candidate, now = f"candidate-{next(_numbers)}", NOW
        holding: dict[Kind, datetime] = {}
        settled: dict[Kind, str] = {}
        withdrawn = False
        for kind, act, seconds in steps:
            now += timedelta(seconds=seconds)
            if act != "claim":
                if kind in holding:
                    outcome = act.removeprefix("settle ")
                    notices.settle(notice(kind, candidate), outcome, now)
                    settled[kind] = outcome
                    del holding[kind]
                continue
            answer = notices.claim(notice(kind, candidate), now, LEASE_S)
            in_flight = {k for k, since in holding.items() if (now - since).total_seconds() <= LEASE_S}
            if answer is NoticeClaim.MINE:
                assert kind not in settled
                assert kind not in in_flight
                assert not (withdrawn and kind is not Kind.WITHDRAWN)
                if kind is Kind.WITHDRAWN:
                    assert Kind.CONFIRMED not in in_flight
                    assert settled.get(Kind.CONFIRMED) == "sent" or Kind.CONFIRMED in holding or withdrawn
                holding[kind] = now
            if answer is NoticeClaim.NOT_TRIED:
                assert kind is Kind.WITHDRAWN
                assert settled.get(Kind.CONFIRMED) != "sent"
            if answer is NoticeClaim.BUSY:
                assert in_flight
            if kind is Kind.WITHDRAWN and answer in (NoticeClaim.MINE, NoticeClaim.NOT_TRIED, NoticeClaim.SENT):
                withdrawn = True


class TestNoticeLedgerOnDynamo:
    @settings(derandomize=True, deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from(list(Kind)),
                st.sampled_from(["claim", "claim", "sent", "stale", "withheld", "nobody"]),
                st.sampled_from([0, LEASE_S + 1]),
            ),
            max_size=12,
        )
    )
    def test_answers_as_the_fake_does(
        self, cloud: Cloud, notices_table: str, steps: list[tuple[Kind, str, int]]
    ) -> None:
        real = DynamoNotices(cloud.client("dynamodb"), notices_table)
        fake, candidate, now = FakeNotices(), f"same-{next(_numbers)}", NOW
        claimed: set[Kind] = set()
        for kind, act, seconds in steps:
            this: Notice = notice(kind, candidate)
            now += timedelta(seconds=seconds)
            if act == "claim":
                answer = real.claim(this, now, LEASE_S)
                assert answer is fake.claim(this, now, LEASE_S)
                claimed |= {kind} if answer is NoticeClaim.MINE else set()
            elif kind in claimed:
                real.settle(this, act, now)
                fake.settle(this, act, now)

    def test_items_expire_and_tell_what_became_of_each_kind(self, cloud: Cloud) -> None:
        client, table = cloud.client("dynamodb"), cloud.notices_table()
        notices = DynamoNotices(client, table, days_kept=15)
        kinds = (Kind.RAISED, Kind.CONFIRMED, Kind.WITHDRAWN)
        for kind in kinds:
            assert notices.claim(notice(kind), NOW, LEASE_S) is NoticeClaim.MINE
            notices.settle(notice(kind), "sent", NOW)
        item = client.get_item(TableName=table, Key={"candidate_id": {"S": CANDIDATE}})["Item"]
        assert {item[f"{kind.value}_outcome"]["S"] for kind in kinds} == {"sent"}
        assert item["raised_at"]["S"] == NOW.isoformat()
        assert int(item["expires_at"]["N"]) == int((NOW + timedelta(days=15)).timestamp())
