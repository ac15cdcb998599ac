"""The inbox: what SNS would have sent, as the phones and the mail program of those who would get it show it.

A page that is whole without a script; its script asks for news and puts them in. A message is shown as it is: nothing
is coloured or sorted by what it says, so that a withdrawn notice has to be seen for one by its words alone.
"""

import hashlib
import html
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from urllib.parse import urlencode

from proviso.local.markup import page as whole_page
from proviso.local.simulator import Message
from proviso.local.sms import size_of

STYLES = ("common.css", "inbox.css")
SCRIPT = "inbox.js"
CONFIRM = "/local/subscriptions/confirm"
_FROM = "AWS Notifications <no-reply@sns.amazonaws.com>"
_NO_SUBJECT = "AWS Notification Message"  # what SNS writes where no subject was given
_HEAD = (
    '<a class="skip" href="#mail-title">Skip to the e-mail</a><header><h1>Inbox</h1>'
    "<p>What SNS would have sent. Nothing leaves this machine.</p><ul>"
    "<li><strong>Accepted</strong> is all that SNS ever says: that it took a message, not that anybody got it.</li>"
    "<li>Whether an SMS reached a phone shows only in the account's delivery logging, where that is switched on.</li>"
    "<li>Of an e-mail SNS reports no delivery at all.</li></ul>"
    '<p id="news" role="status"></p></header>'
)


def page(messages: Sequence[Message], waiting: Collection[str] = (), query: Mapping[str, str] | None = None) -> str:
    """The page. `waiting` are the ARNs of subscriptions that wait for a confirmation; `query` may choose a `mail` (m
    and a number) and a `box` (an address). Everything that comes from a message or an address is escaped."""
    numbered = [(f"m{number}", one) for number, one in enumerate(messages, 1)]
    chosen = query or {}
    body = f"{_HEAD}<main>{_phones(numbered)}{_mail(numbered, waiting, chosen)}</main>"
    return whole_page(
        "Inbox · Proviso on this machine", body, styles=STYLES, script=SCRIPT, state=state_of(messages, waiting)
    )


def state_of(messages: Sequence[Message], waiting: Collection[str] = ()) -> str:
    """How many messages there are, and a digest of all that is shown: another state, another page."""
    return f"{len(messages)}-{hashlib.sha256(as_json(messages, waiting)).hexdigest()[:16]}"


def as_json(messages: Sequence[Message], waiting: Collection[str] = ()) -> bytes:
    """The same for programs: a list in the order of sending. `sms` says how long an SMS is; `confirms` is the
    subscription that a request to confirm is about, and `waiting` whether it still waits."""
    return json.dumps(
        [
            {
                "id": f"m{number}",
                "protocol": one.protocol,
                "address": one.address,
                "subject": one.subject,
                "text": one.text,
                "topic": one.topic,
                "published_at": one.published_at.isoformat(),
                "sender": one.sender,
                "sms": asdict(size_of(one.text)) if one.protocol == "sms" else None,
                "confirms": one.confirms,
                "waiting": one.confirms in waiting,
            }
            for number, one in enumerate(messages, 1)
        ]
    ).encode()


def _phones(numbered: Sequence[tuple[str, Message]]) -> str:
    by_number: dict[str, list[tuple[str, Message]]] = {}
    for mark, one in numbered:
        if one.protocol == "sms":
            by_number.setdefault(one.address, []).append((mark, one))
    phones = "".join(_phone(place, address, received) for place, (address, received) in enumerate(by_number.items(), 1))
    shown = f'<ul class="phones" id="phones">{phones}</ul>' if phones else '<p class="none" id="phones">No SMS yet.</p>'
    return f'<section id="sms" aria-labelledby="sms-title"><h2 id="sms-title">SMS</h2>{shown}</section>'


def _phone(place: int, address: str, received: Sequence[tuple[str, Message]]) -> str:
    bubbles = "".join(_bubble(mark, one) for mark, one in received)
    count = "1 message" if len(received) == 1 else f"{len(received)} messages"
    return (
        f'<li class="phone" id="phone-{place}"><h3 id="number-{place}">{html.escape(address)}<span>{count}</span></h3>'
        f'<ol class="bubbles" id="bubbles-{place}" tabindex="0" aria-labelledby="number-{place}">{bubbles}</ol></li>'
    )


def _bubble(mark: str, one: Message) -> str:
    size = size_of(one.text)
    unit = "septets" if size.alphabet == "GSM-7" else "UCS-2 units"
    length = f"{size.units} of {size.room} {unit}, 1 part" if size.parts == 1 else f"{size.units} {unit}"
    parts = "" if size.parts == 1 else f", <strong>{size.parts} parts or more</strong>"
    sender = html.escape(one.sender) if one.sender else "a sender that SNS chooses"
    return (
        f'<li id="{mark}"><p class="facts">From {sender}, {_time(one)}</p><p class="text">{html.escape(one.text)}</p>'
        f'<p class="facts">{length}{parts}. Accepted by SNS{_topic(one)}.</p></li>'
    )


def _mail(numbered: Sequence[tuple[str, Message]], waiting: Collection[str], query: Mapping[str, str]) -> str:
    everything = [(mark, one) for mark, one in reversed(numbered) if one.protocol != "sms"]
    boxes = sorted({one.address for _, one in everything})
    box = query.get("box", "") if query.get("box") in boxes else ""
    letters = [(mark, one) for mark, one in everything if box in ("", one.address)]
    opened = next((pair for pair in letters if pair[0] == query.get("mail")), letters[0] if letters else None)
    head = '<section id="mail" aria-labelledby="mail-title"><h2 id="mail-title" tabindex="-1">E-mail</h2>'
    if opened is None:
        return f'{head}<p class="none" id="client">No e-mail yet.</p></section>'
    listed = "".join(_line(mark, one, box, current=mark == opened[0]) for mark, one in letters)
    return (
        f'{head}<nav id="boxes" aria-label="Mailboxes"><ul class="boxes" id="box-list">{_boxes(boxes, box)}</ul></nav>'
        f'<div class="client" id="client"><nav id="letters" aria-label="E-mails"><ol class="letters" id="letter-list">'
        f"{listed}</ol></nav>{_reading(*opened, waiting, box)}</div></section>"
    )


def _boxes(boxes: Sequence[str], chosen: str) -> str:
    lines = []
    for box in ["", *boxes]:
        mark = hashlib.sha256(box.encode()).hexdigest()[:12]  # an id that stays when others come before it
        current = ' aria-current="true"' if box == chosen else ""
        name = html.escape(box) or "All"
        lines.append(f'<li id="b-{mark}"><a id="box-{mark}" href="{_link(box=box)}"{current}>{name}</a></li>')
    return "".join(lines)


def _line(mark: str, one: Message, box: str, *, current: bool) -> str:
    here = ' aria-current="true"' if current else ""
    target = _link(box=box, mail=mark) + "#reading"
    return (
        f'<li id="l-{mark}"><a id="a-{mark}" href="{target}"{here}><b>{html.escape(one.subject or _NO_SUBJECT)}</b>'
        f"<span>to {html.escape(one.address)}</span><span>{_time(one)}</span></a></li>"
    )


def _reading(mark: str, one: Message, waiting: Collection[str], box: str) -> str:
    facts = {
        "From": html.escape(_FROM),
        "To": html.escape(one.address),
        "Subject": html.escape(one.subject or _NO_SUBJECT),
        "Date": _time(one),
        "State": f"Accepted by SNS{_topic(one)}; delivery is not reported",
    }
    if one.confirms:
        facts["State"] = "Sent by SNS itself"
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())
    return (
        f'<article id="reading" tabindex="-1" data-mail="{mark}" aria-labelledby="subject"><h3 id="subject">'
        f"{facts['Subject']}</h3><dl>{rows}</dl>"
        f'<div class="letter">{html.escape(one.text)}</div>{_foot(mark, one, waiting, box)}</article>'
    )


def _foot(mark: str, one: Message, waiting: Collection[str], box: str) -> str:
    """Under a letter: the button of a request to confirm, or what SNS would add."""
    if not one.confirms:
        return (
            '<p class="foot">SNS adds lines with a link that ends this subscription. Whoever has the e-mail can use it:'
            " do not pass it on.</p>"
        )
    if one.confirms not in waiting:
        return '<p class="foot">Confirmed, or taken back since.</p>'
    hidden = {"address": one.address, "topic": one.topic, "mail": mark, "box": box}
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(text)}">' for name, text in hidden.items()
    )
    return (
        f'<form method="post" action="{CONFIRM}">{fields}'
        '<button type="submit" id="confirm">Confirm subscription</button></form>'
        '<p class="foot">SNS sends a link here. Until it is followed, nothing goes to this address.</p>'
    )


def link(*, box: str = "", mail: str = "") -> str:
    """The inbox with this mailbox and this e-mail chosen."""
    chosen = {name: value for name, value in (("box", box), ("mail", mail)) if value}
    return "/local/inbox" + (f"?{urlencode(chosen)}" if chosen else "")


def _link(*, box: str = "", mail: str = "") -> str:
    return html.escape(link(box=box, mail=mail))


def _time(one: Message) -> str:
    return f'<time datetime="{one.published_at.isoformat()}">{one.published_at:%Y-%m-%d %H:%M:%S} UTC</time>'


def _topic(one: Message) -> str:
    return f" (topic {html.escape(one.topic.rsplit(':', 1)[-1])})" if one.topic else ""
