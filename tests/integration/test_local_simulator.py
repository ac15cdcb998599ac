"""What the simulator makes of SNS, on real moto: who is told what, and which addresses wait to be confirmed first."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from proviso.local.simulator import Simulator, simulator

pytestmark = pytest.mark.integration

PHONE, DESK = "+447700900001", "desk@example.org"


@pytest.fixture
def simulated() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def sns(simulated: Simulator) -> Any:
    return simulated.client("sns")


@pytest.fixture
def topic(sns: Any) -> str:
    return str(sns.create_topic(Name="Recipients")["TopicArn"])


def subscribe(sns: Any, topic: str, protocol: str, address: str, accounts: list[str] | None = None, **more: Any) -> str:
    attributes = {} if accounts is None else {"FilterPolicy": json.dumps({"to": accounts})}
    made = sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=address, Attributes=attributes, **more)
    return str(made["SubscriptionArn"])


def publish(sns: Any, topic: str, text: str, to: object = None, kind: str = "String.Array") -> None:
    attributes = {} if to is None else {"to": {"DataType": kind, "StringValue": json.dumps(to)}}
    sns.publish(TopicArn=topic, Message=text, MessageAttributes=attributes)


def told(simulated: Simulator) -> list[tuple[str, str, str]]:
    return [(one.protocol, one.address, one.text) for one in simulated.messages() if not one.confirms]


def test_only_those_are_told_to_whom_a_message_is(simulated: Simulator, sns: Any, topic: str) -> None:
    subscribe(sns, topic, "sms", PHONE, ["rec-1"])
    subscribe(sns, topic, "sms", "+447700900002", ["rec-2", "rec-10"])
    subscribe(sns, topic, "sms", "+447700900003")
    for text, to in (("one", ["rec-1"]), ("both", ["rec-1", "rec-2"]), ("ten", ["rec-10"]), ("none", ["rec"])):
        publish(sns, topic, text, to)
    publish(sns, topic, "to nobody in particular")
    assert [text for _, address, text in told(simulated) if address == PHONE] == ["one", "both"]
    assert [text for _, address, text in told(simulated) if address == "+447700900002"] == ["both", "ten"]
    assert len([text for _, address, text in told(simulated) if address == "+447700900003"]) == 5


def test_an_array_that_is_sent_as_another_type_reaches_nobody(simulated: Simulator, sns: Any, topic: str) -> None:
    """moto looks into any text for JSON, and for parts of texts; in AWS nobody would be told."""
    subscribe(sns, topic, "sms", PHONE, ["rec-1"])
    publish(sns, topic, "as a String", ["rec-1"], "String")
    publish(sns, topic, "a text with the name in it", "rec-10", "String.Array")
    publish(sns, topic, "a text with the name in it", "rec-10", "String")
    assert told(simulated) == []
    sns.publish(
        TopicArn=topic, Message="plain", MessageAttributes={"to": {"DataType": "String", "StringValue": "rec-1"}}
    )
    assert told(simulated) == [("sms", PHONE, "plain")]


def test_an_email_address_hears_nothing_until_it_is_confirmed(simulated: Simulator, sns: Any, topic: str) -> None:
    assert subscribe(sns, topic, "email", DESK, ["rec-1"]) == "pending confirmation"
    (asked,) = simulated.messages()
    assert (asked.protocol, asked.address, bool(asked.confirms)) == ("email", DESK, True)
    publish(sns, topic, "too early", ["rec-1"])
    assert told(simulated) == []
    assert simulated.subscriptions.confirm("other@example.org") == 0
    assert simulated.subscriptions.confirm(DESK, "arn:of:another:topic") == 0
    assert simulated.subscriptions.confirm(DESK) == 1
    publish(sns, topic, "now", ["rec-1"])
    publish(sns, topic, "not theirs", ["rec-2"])
    assert told(simulated) == [("email", DESK, "now")]
    assert simulated.subscriptions.unconfirm(DESK) == 1
    publish(sns, topic, "again not", ["rec-1"])
    assert told(simulated) == [("email", DESK, "now")]


def test_a_number_need_not_be_confirmed(simulated: Simulator, sns: Any, topic: str) -> None:
    assert subscribe(sns, topic, "sms", PHONE).startswith(topic)
    assert simulated.messages() == []
    assert simulated.subscriptions.unconfirm(PHONE) == 0


def test_what_waits_is_listed_without_an_arn_and_cannot_be_taken_away(
    simulated: Simulator, sns: Any, topic: str
) -> None:
    arn = subscribe(sns, topic, "email", DESK, ReturnSubscriptionArn=True)
    assert arn.startswith(topic)
    for listed in (sns.list_subscriptions_by_topic(TopicArn=topic), sns.list_subscriptions()):
        (one,) = listed["Subscriptions"]
        assert (one["SubscriptionArn"], one["Endpoint"], one["Protocol"]) == ("PendingConfirmation", DESK, "email")
        assert one["TopicArn"] == topic
    for wrong, why in ((arn, "pending confirmation"), ("PendingConfirmation", "at least 6 elements")):
        with pytest.raises(ClientError, match=why):
            sns.unsubscribe(SubscriptionArn=wrong)
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "true"

    simulated.subscriptions.confirm(DESK)
    (one,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert one["SubscriptionArn"] == arn
    sns.unsubscribe(SubscriptionArn=arn)
    assert simulated.subscriptions.all() == []


def test_subscribing_again_changes_no_filter(simulated: Simulator, sns: Any, topic: str) -> None:
    arn = subscribe(sns, topic, "sms", PHONE, ["rec-1"])
    assert subscribe(sns, topic, "sms", PHONE, ["rec-1"]) == arn
    with pytest.raises(ClientError, match="already exists with different attributes"):
        subscribe(sns, topic, "sms", PHONE, ["rec-2"])
    publish(sns, topic, "for the second", ["rec-2"])
    assert told(simulated) == []
    changed = json.dumps({"to": ["rec-2"]})
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=changed)
    publish(sns, topic, "for the second", ["rec-2"])
    assert told(simulated) == [("sms", PHONE, "for the second")]


def test_who_subscribes_again_while_it_waits_is_asked_again(simulated: Simulator, sns: Any, topic: str) -> None:
    subscribe(sns, topic, "email", DESK)
    subscribe(sns, topic, "email", DESK)
    assert [bool(one.confirms) for one in simulated.messages()] == [True, True]
    assert len({one.confirms for one in simulated.messages()}) == 1
    assert simulated.subscriptions.confirm(DESK) == 1


def test_addresses_can_count_as_confirmed_from_the_start(simulated: Simulator, sns: Any, topic: str) -> None:
    subscribe(sns, topic, "email", DESK)
    simulated.count_as_confirmed()
    publish(sns, topic, "x")
    assert [(one.address, one.confirms) for one in simulated.messages()] == [(DESK, "")]


def test_each_gets_the_text_meant_for_its_protocol_and_the_sender(simulated: Simulator, sns: Any, topic: str) -> None:
    subscribe(sns, topic, "sms", PHONE)
    subscribe(sns, topic, "email", DESK)
    simulated.count_as_confirmed()
    sender = {"AWS.SNS.SMS.SenderID": {"DataType": "String", "StringValue": "PROVISO"}}
    message = json.dumps({"default": "d", "sms": "short", "email": "long"})
    sns.publish(TopicArn=topic, MessageStructure="json", Message=message, Subject="Subject", MessageAttributes=sender)
    sns.publish(PhoneNumber=PHONE, Message="direct", MessageAttributes=sender)
    seen = [(one.protocol, one.address, one.text, one.sender, one.topic) for one in simulated.messages()]
    assert seen == [
        ("sms", PHONE, "short", "PROVISO", topic),
        ("email", DESK, "long", "", topic),
        ("sms", PHONE, "direct", "PROVISO", ""),
    ]


def test_moto_is_as_it_was_afterwards() -> None:
    from moto.sns.models import SNSBackend, Subscription
    from moto.sns.responses import SNSResponse
    from moto.sns.utils import FilterPolicyMatcher

    def methods() -> list[Any]:
        return [
            SNSBackend.subscribe,
            SNSBackend.unsubscribe,
            SNSBackend.publish,
            Subscription.publish,
            SNSResponse.subscribe,
            SNSResponse.list_subscriptions,
            SNSResponse.list_subscriptions_by_topic,
            FilterPolicyMatcher.matches,
        ]

    before = methods()
    with simulator():
        assert not [one for one, other in zip(before, methods(), strict=True) if one is other]
    assert methods() == before
