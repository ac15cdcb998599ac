"""The inbox: shows each message as it is, to whom it went, how long it is; and lets nothing of it become markup."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from proviso.domain.notice import Kind, Notice
from proviso.domain.wording import texts
from proviso.local import inbox
from proviso.local.markup import html_answer
from proviso.local.simulator import Message
from proviso.local.sms import SmsSize, size_of
from proviso.notices import wording

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-2:123456789012:proviso-RecipientsTopic"
NASTY = "<script>alert(1)</script>\"'&<img src=x onerror=y>"


def sms(text, address="+447700900001", **more):
    return Message("sms", address, None, text, TOPIC, MOMENT, **more)


def mail(text, subject="A subject", address="desk@example.org", **more):
    return Message("email", address, subject, text, TOPIC, MOMENT, **more)


class Reader(HTMLParser):
    """What a browser makes of the page: elements with their ids, and the text of those that were asked for."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.ids, self.attributes, self.text = [], [], [], ""
        self._skip = 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._skip += tag in ("style", "script")
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.attributes += attrs

    def handle_endtag(self, tag):
        self._skip -= tag in ("style", "script")

    def handle_data(self, data):
        self.text += "" if self._skip else data


def test_nothing_of_a_message_becomes_markup():
    sent = [
        sms(NASTY, address=f"+44{NASTY}", sender=NASTY),
        mail(NASTY, subject=NASTY, address=f"{NASTY}@example.org", confirms="arn:1"),
    ]
    found = Reader(inbox.page(sent, {"arn:1"}, {"box": sent[1].address}))
    assert found.tags.count("script") == 1
    assert "img" not in found.tags
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert found.text.count(NASTY) >= 6


def test_what_is_in_the_address_bar_becomes_no_markup_either():
    page = inbox.page([mail("x")], set(), {"mail": NASTY, "box": NASTY})
    assert "onerror" not in page
    assert "A subject" in page


def test_each_number_has_its_phone_with_its_messages_in_order():
    page = Reader(inbox.page([sms("one"), sms("other", address="+447700900002"), sms("two", sender="PROVISO")]))
    assert [one for one in page.ids if one.startswith("phone-")] == ["phone-1", "phone-2"]
    first, second = page.text.split("+447700900001")[1].split("+447700900002")
    assert first.index("one") < first.index("two")
    assert "2 messages" in first
    assert "From PROVISO, 2026-01-02 03:04:05 UTC" in first
    assert "3 of 160 septets, 1 part. Accepted by SNS (topic proviso-RecipientsTopic)." in first
    assert "other" in second


def test_mail_is_a_list_and_a_letter():
    sent = [mail("first", subject="One"), mail("second", subject=None), mail("third", "Three", "other@example.org")]
    page = inbox.page(sent)
    assert re.findall(r'id="l-(m\d)"', page) == ["m3", "m2", "m1"]
    assert 'data-mail="m3"' in page
    chosen = Reader(inbox.page(sent, set(), {"mail": "m2", "box": "desk@example.org"}))
    assert [one for one in chosen.ids if one.startswith("l-")] == ["l-m2", "l-m1"]
    for said in ("AWS Notifications <no-reply@sns.amazonaws.com>", "desk@example.org", "AWS Notification Message"):
        assert said in chosen.text
    assert "second" in chosen.text
    assert "third" not in chosen.text


def test_it_says_that_accepted_is_not_delivered():
    said = Reader(inbox.page([sms("x"), mail("y")])).text
    assert "not that anybody got it" in said
    assert "Whether an SMS reached a phone shows only in the account's delivery logging" in said
    assert "Of an e-mail SNS reports no delivery at all" in said
    assert "delivery is not reported" in said


def test_an_empty_inbox_says_so():
    said = Reader(inbox.page([])).text
    assert "No SMS yet." in said
    assert "No e-mail yet." in said


def test_a_request_to_confirm_has_its_button_until_it_is_confirmed():
    asks = mail("Somebody asked", "AWS Notification - Subscription Confirmation", confirms="arn:1")
    assert 'action="/local/subscriptions/confirm"' in inbox.page([asks], {"arn:1"})
    assert "<form" not in inbox.page([asks], {"arn:2"})
    assert inbox.state_of([asks], {"arn:1"}) != inbox.state_of([asks], set())


def notice(kind):
    return Notice(
        candidate_id=str(UUID(int=1)),
        kind=kind,
        deployment_id="d",
        camera="c",
        place="North entrance",
        occurred_at=MOMENT,
        expires_at=MOMENT,
        message_prefix="DEMO",
        calibrated=True,
        correlation_id="x",
    )


def test_a_withdrawn_notice_is_one_by_its_words_and_nothing_else_marks_it():
    """As on a real phone: no colour and no class of the page's may be what tells a withdrawal from a confirmation."""
    shapes = set()
    for kind in (Kind.CONFIRMED, Kind.WITHDRAWN):
        words = texts(notice(kind), ZoneInfo("Europe/London"), wording("en"))
        page = inbox.page([sms(words.sms), mail(words.email, words.subject)])
        if kind is Kind.WITHDRAWN:
            assert "WITHDRAWN" in Reader(page).text
            assert "Do not act on it." in Reader(page).text
        shapes.add(
            tuple(Reader(page).tags) + tuple(value for name, value in Reader(page).attributes if name == "class")
        )
    assert len(shapes) == 1


def test_the_page_is_whole_in_itself_and_its_ids_are_its_own():
    sent = [sms("a"), sms("b", address="+447700900002"), mail("c"), mail("d", address="other@example.org")]
    page = inbox.page(sent)
    found = Reader(page)
    assert len(found.ids) == len(set(found.ids))
    assert "http-equiv" not in page
    for name, value in found.attributes:
        assert name != "src"
        assert name != "href" or value.startswith(("/local/inbox", "#"))
    _, headers, _ = html_answer(200, page, styles=inbox.STYLES, script=inbox.SCRIPT)
    rules = dict(headers)["Content-Security-Policy"]
    assert "default-src 'none'" in rules
    assert "unsafe" not in rules


def test_programs_read_the_same():
    sent = [sms("a"), mail("b", confirms="arn:1")]
    first, second = json.loads(inbox.as_json(sent, {"arn:1"}))
    assert (first["id"], first["protocol"], first["address"], first["text"]) == ("m1", "sms", "+447700900001", "a")
    assert first["sms"] == {"alphabet": "GSM-7", "units": 1, "room": 160, "parts": 1}
    assert (second["sms"], second["confirms"], second["waiting"]) == (None, "arn:1", True)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", SmsSize("GSM-7", 0, 160, 1)),
        ("x" * 160, SmsSize("GSM-7", 160, 160, 1)),
        ("x" * 161, SmsSize("GSM-7", 161, 153, 2)),
        ("x" * 306, SmsSize("GSM-7", 306, 153, 2)),
        ("x" * 307, SmsSize("GSM-7", 307, 153, 3)),
        ("€[" + "x" * 156, SmsSize("GSM-7", 160, 160, 1)),
        ("€[" + "x" * 157, SmsSize("GSM-7", 161, 153, 2)),
        # The escape and its letter stay together: the first part holds 152, so three parts are needed for 306.
        ("x" * 152 + "€" + "x" * 152, SmsSize("GSM-7", 306, 153, 3)),
        ("ŵ" * 70, SmsSize("UCS-2", 70, 70, 1)),
        ("ŵ" * 71, SmsSize("UCS-2", 71, 67, 2)),
        ("🙂" * 35, SmsSize("UCS-2", 70, 70, 1)),
        # A pair of surrogates is not cut: 33 of them in a part of 67.
        ("🙂" * 67, SmsSize("UCS-2", 134, 67, 3)),
    ],
)
def test_an_sms_is_as_long_as_the_network_counts_it(text, size):
    assert size_of(text) == size
