"""Whether people can be told: topics, subscriptions, and what an account must have done before SMS reach anybody."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from proviso.cli.account.finding import Check, Finding, attention, ok, wrong
from proviso.cli.account.stack import Account, Part, Stack

SUBSCRIPTIONS_WITH_FILTER = 200
"""SNS's quota a topic, unless AWS raised it."""
_PENDING = "PendingConfirmation"


def checks(account: Account) -> list[tuple[str, Check]]:
    """Of the account, whether or not there is a stack."""
    return [("SMS sandbox", lambda: sandbox(account)), ("SMS settings", lambda: settings(account))]


def sandbox(account: Account) -> Finding:
    if account.client("sns").get_sms_sandbox_account_status()["IsInSandbox"]:
        return attention(
            "SMS sandbox",
            "SMS go to verified numbers only (at most 10)",
            "aws sns create-sms-sandbox-phone-number --phone-number +44..., or ask AWS to take the account out:"
            " docs/operations.md#sms",
        )
    return ok("SMS sandbox", "left")


def settings(account: Account) -> Iterator[Finding]:
    given = account.client("sns").get_sms_attributes()["attributes"]
    yield _limit(str(given.get("MonthlySpendLimit", "1")))
    if given.get("DeliveryStatusIAMRole"):
        rate = str(given.get("DeliveryStatusSuccessSamplingRate", "0"))
        if rate == "100":
            yield ok("SMS delivery", "written into CloudWatch Logs, of each message")
        else:
            yield attention(
                "SMS delivery",
                f"written into CloudWatch Logs for {rate or 0} % of what arrived",
                "aws sns set-sms-attributes --attributes DeliveryStatusSuccessSamplingRate=100",
            )
    else:
        yield attention(
            "SMS delivery",
            "not logged, so nobody can tell whether an SMS arrived",
            "docs/operations.md#sms: a role, then aws sns set-sms-attributes --attributes DeliveryStatusIAMRole=ARN",
        )
    if given.get("DefaultSMSType", "Promotional") != "Transactional":
        yield attention(
            "SMS type",
            "promotional: carriers may hold these back",
            "aws sns set-sms-attributes --attributes DefaultSMSType=Transactional",
        )
    else:
        yield ok("SMS type", "transactional")


def _limit(text: str) -> Finding:
    try:
        limit = Decimal(text)
    except InvalidOperation:
        limit = Decimal(0)
    if limit <= 1:
        return attention(
            "SMS spending limit",
            f"{limit} USD a month: some twenty SMS, and then none",
            "ask AWS for more, then aws sns set-sms-attributes --attributes MonthlySpendLimit=N",
        )
    return ok("SMS spending limit", f"{limit} USD a month")


def topics(account: Account, stack: Stack) -> Iterator[Finding]:
    """Who is subscribed, counted; no address is shown."""
    for part in stack.of("AWS::SNS::Topic"):
        found = list(_subscriptions(account, part))
        pending = sum(one["SubscriptionArn"] == _PENDING for one in found)
        name = f"topic {part.name}"
        said = (
            f"{len(found)} subscriptions, {pending} of them not confirmed" if pending else f"{len(found)} subscriptions"
        )
        if part.name == "AlarmsTopic" and len(found) == pending:
            how = "confirm the mail from AWS" if pending else "sam deploy with AlarmEmail=somebody@..."
            yield wrong(name, f"{said}: nobody hears an alarm", how)
        elif pending:
            yield attention(name, said, "the person confirms the mail from AWS; proviso contacts list says who")
        elif len(found) > SUBSCRIPTIONS_WITH_FILTER * 0.9:
            yield attention(name, f"{said}; SNS takes {SUBSCRIPTIONS_WITH_FILTER} with a filter", "ask AWS for more")
        else:
            yield ok(name, said)


def _subscriptions(account: Account, topic: Part) -> Iterator[Any]:
    pages = account.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic.id)
    for page in pages:
        yield from page["Subscriptions"]


def opted_out(account: Account) -> Finding:
    """How many telephones answered STOP. Whose they are is not shown: `aws sns list-phone-numbers-opted-out`."""
    count = sum(
        len(page["phoneNumbers"])
        for page in account.client("sns").get_paginator("list_phone_numbers_opted_out").paginate()
    )
    if count:
        return attention(
            "SMS opted out",
            f"{count} telephones answered STOP and get nothing, whatever their subscription says",
            "aws sns list-phone-numbers-opted-out; their owner may ask for aws sns opt-in-phone-number",
        )
    return ok("SMS opted out", "nobody")


def all_of(account: Account, stack: Stack) -> list[tuple[str, Check]]:
    """Of a stack."""
    return [
        ("topics", lambda: topics(account, stack)),
        ("SMS opted out", lambda: opted_out(account)),
    ]
