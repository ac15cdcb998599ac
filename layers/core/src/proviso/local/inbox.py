"""The inbox: what SNS would have sent, as SMS bubbles and e-mails on one page, so that people can see it."""

import html
import json
from collections.abc import Iterable

from proviso.local.simulator import Message

_STYLE = """
*{box-sizing:border-box}
body{margin:0 auto;max-width:46rem;padding:1rem;font:16px/1.45 system-ui,sans-serif;color:#1c2430;background:#f3f5f8}
h1{font-size:1.3rem;margin:.3rem 0 .2rem} h2{font-size:1rem;margin:1.4rem 0 .5rem} p.note{margin:0;color:#5b6675}
.message{margin:.7rem 0;padding:.7rem .9rem;background:#fff;border:1px solid #dde2ea;overflow-wrap:anywhere}
.sms{border-radius:1.1rem 1.1rem 1.1rem .2rem;max-width:26rem;background:#e6f0e8;border-color:#cbdccf}
.email{border-radius:.5rem}
.head{font-size:.85rem;color:#4f5967;margin-bottom:.35rem} .subject{font-weight:600}
.text{white-space:pre-wrap}
@media(prefers-color-scheme:dark){body{background:#14181e;color:#e4e8ee}.message{background:#1d232c;border-color:#333c49}
.sms{background:#1c3324;border-color:#2f4d39}.head,p.note{color:#a7b0bd}}
"""


def page(messages: Iterable[Message]) -> bytes:
    """The page, newest first. Everything that comes from a message is escaped."""
    shown = sorted(messages, key=lambda one: one.published_at, reverse=True)
    parts = [_card(one) for one in shown] or ["<p>Nothing has been sent yet.</p>"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Proviso: inbox</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta http-equiv="refresh" content="5">'
        f"<style>{_STYLE}</style></head><body><h1>Inbox</h1>"
        f'<p class="note">What SNS would have sent. Nothing leaves this machine. {len(shown)} in all.</p>'
        f"{''.join(parts)}</body></html>"
    ).encode()


def _card(message: Message) -> str:
    kind = "SMS" if message.protocol == "sms" else "E-mail"
    stamp = f"{message.published_at:%Y-%m-%d %H:%M:%S} UTC"
    topic = f" · {html.escape(message.topic.rsplit(':', 1)[-1])}" if message.topic else ""
    subject = f'<div class="subject">{html.escape(message.subject)}</div>' if message.subject else ""
    head = f'<div class="head">{kind} to {html.escape(message.address)} · {stamp}{topic}</div>'
    subject = "" if message.protocol == "sms" else subject
    text = f'<div class="text">{html.escape(message.text)}</div>'
    return f'<article class="message {html.escape(message.protocol)}">{head}{subject}{text}</article>'


def as_json(messages: Iterable[Message]) -> bytes:
    """The same for programs: a list in the order of sending."""
    return json.dumps(
        [
            {
                "protocol": one.protocol,
                "address": one.address,
                "subject": one.subject,
                "text": one.text,
                "topic": one.topic,
                "published_at": one.published_at.isoformat(),
            }
            for one in messages
        ]
    ).encode()
