"""alert, joined: notices, and beside them the subscriptions that carry them."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from proviso import settings
from proviso.domain.journey import Follow, unfollowed
from proviso.wiring import _read, now


def alert_invocation(about: Follow = unfollowed) -> Callable[[str], str]:
    """alert: what a key in the outbox stands for, a notice or somebody's contact. Gives what became of it.

    `about` is told the correlation id of each notice's frame."""
    from proviso.cloud.contacts import CONTACTS, sub_of
    from proviso.stages.alert import alert
    from proviso.stages.subscriptions import follow

    room, subscriptions = _alert_rooms()

    def one(key: str) -> str:
        if not key.startswith(CONTACTS):
            return alert(key=key, room=room, follow=about)
        sub = sub_of(key)
        return "not_a_contact" if sub is None else follow(sub=sub, room=subscriptions)

    return one


def alert_check() -> dict[str, int]:
    """alert by the clock: look at every subscription."""
    from proviso.stages.subscriptions import check

    return check(room=_alert_rooms()[1])


@cache
def _alert_rooms() -> Any:
    from proviso.cloud.clients import client
    from proviso.cloud.contacts import S3Contacts, SnsSubscriptions
    from proviso.cloud.notices import DynamoNotices, SnsPublisher
    from proviso.cloud.outbox import S3Outbox
    from proviso.cloud.permits import S3Permits
    from proviso.notices import all_wordings
    from proviso.stages.alert import AlertRoom
    from proviso.stages.subscriptions import SubscriptionRoom

    read = _read(settings.Alert)
    topics = {"reviewers": read.reviewers_topic_arn, "recipients": read.recipients_topic_arn}
    desk = S3Contacts(client("s3"), read.outbox_bucket)
    alerting = AlertRoom(
        clock=now,
        outbox=S3Outbox(client("s3"), read.outbox_bucket),
        permits=S3Permits(client("s3"), read.permits_bucket),
        notices=DynamoNotices(client("dynamodb"), read.notices_table),
        publisher=SnsPublisher(client("sns"), topics),
        desk=desk,
        words=all_wordings(),
        zone=read.time_zone,
        console_url=read.console_url,
    )
    settles = timedelta(minutes=read.subscription_settles_minutes)
    return alerting, SubscriptionRoom(now, desk, SnsSubscriptions(client("sns"), topics), settles)
