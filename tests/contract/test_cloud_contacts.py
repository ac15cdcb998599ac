"""Contracts of the contacts' documents in the outbox bucket, and of SNS's subscriptions."""

from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from proviso.cloud.contacts import S3Contacts, SnsSubscriptions, contact_key, sub_of
from proviso.cloud.notices import DynamoNotices, SnsPublisher
from proviso.cloud.outbox import S3Outbox
from proviso.domain.contacts import Address, Channel, Contact, Members, Reach, Standing, State
from proviso.domain.errors import StorageFault
from proviso.domain.notice import Kind
from proviso.domain.people import Role
from tests.contract.conftest import NOW, Cloud, failing
from tests.contract.samples import CANDIDATE, DEPLOYMENT, notice
from tests.contract.test_cloud_messages import words_of
from tests.fakes.cloud import FakeContacts, FakeNotices, FakeSubscriptions

EMAIL, PHONE = Address("One@example.com"), Address("+447700900001")
LIST = "list_subscriptions_by_topic"
ODD = "auth0|a/b c%"


def contact(sub: str = "one", **changed: Any) -> Contact:
    values: dict[str, Any] = {
        "sub": sub,
        "language": "cy",
        "email": EMAIL,
        "phone": PHONE,
        "places": ("Gate 1",),
        "categories": (),
        "roles": frozenset({Role.REVIEWER}),
        "set_at": NOW,
    }
    return Contact(**{**values, **changed})


REACH = Reach(NOW, {("reviewers", Channel.EMAIL): Standing(State.PENDING, NOW, "arn:1")})


@pytest.mark.parametrize("kind", ["fake", "s3"])
class TestContacts:
    @pytest.fixture
    def desk(self, kind: str, cloud: Cloud) -> Any:
        return FakeContacts() if kind == "fake" else S3Contacts(cloud.client("s3"), cloud.bucket(), page=1)

    @pytest.fixture
    def spoil(self, kind: str, cloud: Cloud, desk: Any) -> Any:
        """Have something lie there that says nothing."""
        if kind == "fake":
            where = {"contacts": desk.cards, "members": desk.named, "subscriptions": desk.reaches}
            return lambda folder, name: where[folder].__setitem__(name, None)
        return lambda folder, name: cloud.client("s3").put_object(
            Bucket=desk._bucket, Key=f"{folder}/{name}.json", Body=b"[]"
        )

    @pytest.mark.parametrize("sub", ["one", ODD])
    def test_a_contact_comes_back_until_it_is_removed(self, desk: Any, sub: str) -> None:
        assert desk.contact(sub) is None
        desk.put_contact(contact(sub, phone=None))
        desk.put_contact(contact(sub))
        assert desk.contact(sub) == contact(sub)
        assert desk.subs() == [sub]
        for _ in range(2):
            desk.remove_contact(sub)
        assert desk.contact(sub) is None
        assert desk.subs() == []

    def test_several_at_once_without_those_that_are_not_there_or_say_nothing(self, desk: Any, spoil: Any) -> None:
        for sub in ("one", "two", ODD):
            desk.put_contact(contact(sub))
        spoil("contacts", "bad")
        assert desk.contacts(["two", "none", "bad", ODD]) == {"two": contact("two"), ODD: contact(ODD)}
        assert desk.contacts([]) == {}
        assert desk.subs() == sorted(["one", "two", ODD, "bad"])
        with pytest.raises(ValueError, match="contact"):
            desk.contact("bad")

    def test_members(self, desk: Any, spoil: Any) -> None:
        assert desk.members(DEPLOYMENT) is None
        for members in (Members((), ()), Members(("one",), ("two", ODD))):
            desk.put_members(DEPLOYMENT, members)
            assert desk.members(DEPLOYMENT) == members
        spoil("members", "bad")
        with pytest.raises(ValueError, match="members"):
            desk.members("bad")

    @pytest.mark.parametrize("sub", ["one", ODD])
    def test_how_subscriptions_stand(self, desk: Any, spoil: Any, sub: str) -> None:
        assert desk.reach(sub) is None
        desk.put_reach(sub, REACH)
        assert desk.reach(sub) == REACH
        assert desk.reached() == [sub]
        for _ in range(2):
            desk.remove_reach(sub)
        assert desk.reached() == []
        spoil("subscriptions", "bad")
        assert desk.reach("bad") is None


@pytest.mark.parametrize("sub", ["one", ODD, "x" * 200, "ŵ"])
def test_a_contacts_key_names_its_account_and_nothing_else_does(sub: str) -> None:
    assert sub_of(contact_key(sub)) == sub
    assert contact_key(sub).count("/") == 1


@pytest.mark.parametrize(
    "key", ["contacts/.json", "contacts/one", "contacts/a/b.json", "members/one.json", "contacts/"]
)
def test_a_key_that_only_looks_like_it(key: str) -> None:
    assert sub_of(key) is None


def test_what_closes_a_deployment_deletes_its_members_from_the_same_place(cloud: Cloud) -> None:
    desk = S3Contacts(cloud.client("s3"), cloud.bucket())
    desk.put_members(DEPLOYMENT, Members(("one",), ()))
    desk.put_members("other", Members((), ()))
    for _ in range(2):
        S3Outbox(cloud.client("s3"), desk._bucket).delete_members(DEPLOYMENT)
    assert desk.members(DEPLOYMENT) is None
    assert desk.members("other") is not None


def test_a_document_too_large_is_not_read(cloud: Cloud) -> None:
    desk = S3Contacts(cloud.client("s3"), cloud.bucket())
    cloud.client("s3").put_object(Bucket=desk._bucket, Key="contacts/one.json", Body=b" " * 300_000)
    with pytest.raises(ValueError, match="300000 bytes"):
        desk.contact("one")


def test_a_bucket_that_denies_is_a_fault_and_not_nobody() -> None:
    desk = S3Contacts(failing("s3", "AccessDenied", 403), "outbox")
    for ask in (lambda: desk.contact("one"), lambda: desk.contacts(["one", "two"]), lambda: desk.members("one")):
        with pytest.raises(StorageFault, match="AccessDenied"):
            ask()
    with pytest.raises(StorageFault):
        desk.reach("one")


# --- SNS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fake", "sns"])
class TestSubscriptions:
    """moto takes every subscription for confirmed at once, so what waits for a person is tried on the stub below."""

    @pytest.fixture
    def sns(self, kind: str, cloud: Cloud) -> Any:
        topics = {"reviewers": cloud.topic(), "recipients": cloud.topic()}
        return FakeSubscriptions() if kind == "fake" else SnsSubscriptions(cloud.client("sns"), topics)

    def test_subscribed_listed_and_ended(self, sns: Any) -> None:
        arn = sns.subscribe("reviewers", Channel.PHONE, PHONE, "one")
        assert sns.listing() == {("reviewers", Channel.PHONE, PHONE.value): arn}
        for _ in range(2):
            sns.unsubscribe(arn)
        assert sns.listing() == {}

    def test_asked_for_again_it_is_the_same(self, sns: Any) -> None:
        first = sns.subscribe("recipients", Channel.PHONE, PHONE, "one")
        assert sns.subscribe("recipients", Channel.PHONE, PHONE, "one") == first
        assert len(sns.listing()) == 1

    def test_topics_are_apart_and_addresses_in_small_letters(self, sns: Any) -> None:
        for audience in ("reviewers", "recipients"):
            sns.subscribe(audience, Channel.EMAIL, EMAIL, "one")
        assert set(sns.listing()) == {(a, Channel.EMAIL, "one@example.com") for a in ("reviewers", "recipients")}


def test_all_pages_are_listed(cloud: Cloud) -> None:
    sns = SnsSubscriptions(cloud.client("sns"), {"reviewers": cloud.topic()})
    for number in range(205):
        sns.subscribe("reviewers", Channel.PHONE, Address(f"+447700900{number:03}"), f"sub-{number}")
    assert len(sns.listing()) == 205


def test_what_is_published_reaches_the_accounts_that_it_names_and_no_other(cloud: Cloud) -> None:
    """The filter of a subscription against the attribute of a message, as moto evaluates them."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.sns.models import sns_backends

    topics = {"reviewers": cloud.topic(), "recipients": cloud.topic()}
    sns = SnsSubscriptions(cloud.client("sns"), topics)
    arns = {
        sub: sns.subscribe("recipients", Channel.PHONE, Address(f"+44770090010{n}"), sub)
        for n, sub in enumerate(["one", "two", ODD])
    }
    seen: list[str] = []
    backend = sns_backends[DEFAULT_ACCOUNT_ID]["eu-west-2"]
    made = notice(Kind.CONFIRMED)
    publisher = SnsPublisher(cloud.client("sns"), topics)
    publisher.publish("recipients", made, words_of(made), ["two", ODD])
    ((_, message, _, attributes, _),) = backend.topics[topics["recipients"]].sent_notifications
    for sub, arn in arns.items():
        matcher = backend.subscriptions[arn]._filter_policy_matcher
        if matcher.matches(attributes, message):
            seen.append(sub)
        assert not matcher.matches({}, message)
    assert seen == ["two", ODD]


def stubbed(cloud: Cloud) -> tuple[SnsSubscriptions, Any]:
    client = cloud.client("sns")
    return SnsSubscriptions(client, {"reviewers": "arn:reviewers"}), Stubber(client)


def test_the_filter_is_set_with_the_subscription_and_names_one_account(cloud: Cloud) -> None:
    sns, stub = stubbed(cloud)
    expected = {
        "TopicArn": "arn:reviewers",
        "Protocol": "email",
        "Endpoint": EMAIL.value,
        "Attributes": {"FilterPolicy": '{"to": ["one"]}'},
        "ReturnSubscriptionArn": True,
    }
    with stub:
        stub.add_response("subscribe", {"SubscriptionArn": "arn:1"}, expected)
        assert sns.subscribe("reviewers", Channel.EMAIL, EMAIL, "one") == "arn:1"


def test_what_waits_for_confirmation_has_no_arn_and_what_is_deleted_is_not_there(cloud: Cloud) -> None:
    sns, stub = stubbed(cloud)
    rows = [
        {"SubscriptionArn": arn, "Protocol": protocol, "Endpoint": endpoint}
        for arn, protocol, endpoint in [
            ("PendingConfirmation", "email", "One@example.com"),
            ("Deleted", "email", "two@example.com"),
            ("arn:3", "sms", "+447700900003"),
            ("arn:4", "sqs", "arn:queue"),
        ]
    ]
    with stub:
        stub.add_response(LIST, {"Subscriptions": rows}, {"TopicArn": ANY})
        assert sns.listing() == {
            ("reviewers", Channel.EMAIL, "one@example.com"): "",
            ("reviewers", Channel.PHONE, "+447700900003"): "arn:3",
        }


def test_an_address_with_another_filter_is_none(cloud: Cloud) -> None:
    sns, stub = stubbed(cloud)
    said = "Invalid parameter: Attributes Reason: Subscription already exists with different attributes"
    with stub:
        stub.add_client_error("subscribe", "InvalidParameter", said, 400)
        assert sns.subscribe("reviewers", Channel.EMAIL, EMAIL, "one") is None


@pytest.mark.parametrize("code", ["InvalidParameter", "FilterPolicyLimitExceeded", "Throttled"])
def test_what_sns_does_not_take_is_a_fault_without_the_address(cloud: Cloud, code: str) -> None:
    sns, stub = stubbed(cloud)
    with stub:
        stub.add_client_error("subscribe", code, f"Invalid parameter: Endpoint {EMAIL.value}", 400)
        with pytest.raises(StorageFault, match=code) as raised:
            sns.subscribe("reviewers", Channel.EMAIL, EMAIL, "one")
    assert "example.com" not in str(raised.value)
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("code", ["NotFound", "InvalidParameter"])
def test_ending_what_is_gone_or_was_never_confirmed_is_no_fault(cloud: Cloud, code: str) -> None:
    sns, stub = stubbed(cloud)
    with stub:
        stub.add_client_error("unsubscribe", code, "no", 400)
        sns.unsubscribe("arn:1")


def test_what_is_denied_is_a_fault(cloud: Cloud) -> None:
    sns, stub = stubbed(cloud)
    with stub:
        for operation, act in (("unsubscribe", lambda: sns.unsubscribe("arn:1")), (LIST, sns.listing)):
            stub.add_client_error(operation, "AuthorizationError", "no", 403)
            with pytest.raises(StorageFault, match="AuthorizationError"):
                act()


# --- who was told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fake", "dynamodb"])
class TestTold:
    @pytest.fixture
    def ledger(self, kind: str, cloud: Cloud) -> Any:
        return FakeNotices() if kind == "fake" else DynamoNotices(cloud.client("dynamodb"), cloud.notices_table())

    def test_by_kind_and_added_up(self, ledger: Any) -> None:
        confirmed = notice(Kind.CONFIRMED)
        assert ledger.told(CANDIDATE, Kind.CONFIRMED) == frozenset()
        ledger.claim(confirmed, NOW, 30)
        ledger.note_told(confirmed, ["one", ODD], NOW)
        ledger.note_told(confirmed, ["two", "one"], NOW)
        ledger.settle(confirmed, "sent", NOW)
        assert ledger.told(CANDIDATE, Kind.CONFIRMED) == {"one", "two", ODD}
        assert ledger.told(CANDIDATE, Kind.WITHDRAWN) == frozenset()
        ledger.claim(notice(Kind.WITHDRAWN), NOW, 30)
        assert ledger.told(CANDIDATE, Kind.CONFIRMED) == {"one", "two", ODD}
        ledger.delete(CANDIDATE)
        assert ledger.told(CANDIDATE, Kind.CONFIRMED) == frozenset()
