"""What is published and put up before a deployment starts (S33): the notice sheet, and the sign at the place.

Both are made of what is authorised, so that they say what the machine will hold to. They are written for somebody who
has never heard of any of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from proviso.domain.deployment import Deployment
from proviso.publication.figures import said
from proviso.publication.markup import Markup, facts, html, joined, page, section

SIZES = {"A3": "297mm 420mm", "A4": "210mm 297mm"}
SHEET = "sheet.css"
UNREAD = "Before you print this: no Welsh speaker has read the Welsh yet. Have it read."


@dataclass(frozen=True, slots=True)
class Contacts:
    """Where people turn. `record_url`: where the record of this deployment will be."""

    complaints: str
    data_protection: str
    record_url: str


def notice_sheet(deployment: Deployment, contacts: Contacts, zone: ZoneInfo) -> str:
    """The public notice, for one or two pages of A4."""
    grounds, policy = deployment.grounds, deployment.policy
    parts = [
        section("Who, why, where and when", facts(_terms(deployment, zone))),
        section("The rules", *_rules(deployment)),
        section("What happens when you pass", _sentences(_what_happens(deployment))),
        section("What is kept, and for how long", _sentences(_kept(deployment))),
        section(
            "Your questions",
            facts(
                (
                    ("complaints", contacts.complaints),
                    ("data protection officer", contacts.data_protection or contacts.complaints),
                    ("was I on the list?", _was_i(contacts)),
                    ("what was done", html('afterwards published at <a href="{}">{}</a>', *[contacts.record_url] * 2)),
                )
            ),
        ),
    ]
    header = joined(
        (
            _demonstration(policy.message_prefix),
            html("<h1>Notice: live facial recognition at {}</h1>", deployment.place),
            html(
                '<p class="lead">{} will compare the faces of people who pass cameras here with a list of people.</p>',
                grounds.operator_name,
            ),
        )
    )
    footer = html('<p class="quiet">Deployment {}, policy {}</p>', deployment.id, policy.title)
    return _sized(page(f"Notice: {deployment.place}", header, joined(parts), footer, sheet=SHEET), "A4", "14mm")


def signage(deployment: Deployment, contacts: Contacts, zone: ZoneInfo, size: str = "A3") -> str:
    """The sign at the place, one page of A3 or A4, in English and Welsh. KeyError for another size."""
    who = html(
        "{}, {}. {}. {}",
        deployment.grounds.operator_name,
        _times(deployment, zone),
        contacts.complaints,
        contacts.record_url,
    )
    english = joined(
        (
            html("<h1>Live facial recognition in use here</h1>"),
            html(
                '<p class="say">Cameras compare the faces of people who pass with a list of people. A person checks'
                " each possible match before anybody acts. Faces that match nobody are deleted at once.</p>"
            ),
        )
    )
    welsh = joined(
        (
            html('<p class="cy-title">Adnabod wynebau byw ar waith yma</p>'),
            html(
                '<p class="say">Mae camerâu yn cymharu wynebau pobl sy\'n mynd heibio â rhestr o bobl. Mae person yn'
                " gwirio pob cyfatebiaeth bosibl cyn i neb weithredu. Caiff wynebau nad ydynt yn cyfateb i neb eu"
                " dileu ar unwaith.</p>"
            ),
        )
    )
    sign = html(
        '<div class="sign"><div>{}{}</div><hr><div lang="cy">{}</div><hr><p class="who">{}</p></div>',
        _demonstration(deployment.policy.message_prefix),
        english,
        welsh,
        html('<strong>Questions and complaints</strong> / <span lang="cy">Cwestiynau a chwynion</span>: {}', who),
    )
    warning = html('<p class="screen">{}</p>', UNREAD)
    return _sized(page("Live facial recognition in use here", warning, sign, sheet=SHEET), size, "10mm")


def style_of(size: str, margin: str) -> str:
    """The paper, in a style element of its own."""
    return f"@page {{ size: {SIZES[size]}; margin: {margin}; }}"


def _sized(made: str, size: str, margin: str) -> str:
    return made.replace("<style>", f"<style>{style_of(size, margin)}</style><style>", 1)


def _demonstration(word: str) -> Markup:
    return html('<p class="banner">{}: nobody is looked for</p>', word) if word else Markup("")


def _terms(deployment: Deployment, zone: ZoneInfo) -> list[tuple[str, object]]:
    grounds = deployment.grounds
    return [
        ("who", f"{grounds.operator_name} ({said(grounds.operator_kind)})"),
        ("why", said(deployment.use)),
        ("where", f"{deployment.place} ({said(deployment.premises)}), {_count(len(deployment.cameras), 'camera')}"),
        ("when", _times(deployment, zone)),
        ("legal basis", grounds.legal_basis),
        ("why it is needed", grounds.necessity),
        ("policy document", grounds.policy_document),
    ]


def _rules(deployment: Deployment) -> list[Markup]:
    policy = deployment.policy
    listed = ", ".join(said(one) for one in policy.categories)
    consent = " Each has given a recorded consent." if policy.consent_required else ""
    made = [
        facts(
            (
                ("policy", policy.title),
                ("who may be listed", f"at most {policy.max_entries:,} people: {listed}.{consent}"),
                ("longest", f"{policy.max_duration_minutes} minutes"),
                (
                    "calibrated",
                    "yes, by measurements made before; how often it is wrong here is counted afterwards"
                    if deployment.calibrated
                    else "no: how often it is wrong is not known",
                ),
            )
        )
    ]
    if policy.differences:
        rows = joined(html("<li>{}</li>", one) for one in policy.differences)
        made.append(html("<p>These rules differ from the published policy {}:</p><ul>{}</ul>", policy.extends, rows))
    return made


def _what_happens(deployment: Deployment) -> Sequence[str]:
    needed = deployment.policy.reviewers_required
    people = "a trained person" if needed == 1 else f"{needed} trained people, each for themselves,"
    return (
        "A computer compares faces in the pictures with those on the list. If nobody on the list looks alike, that is"
        " all.",
        f"If somebody looks alike, {people} must look at both pictures and decide. The computer alone decides nothing,"
        " and nobody else is told before.",
        "A possible match is not proof of who you are. Whoever speaks to you is told to check first. Ask them for a"
        " slip: it has a number by which you can ask about it.",
    )


def _kept(deployment: Deployment) -> Sequence[str]:
    policy = deployment.policy
    return (
        "Pictures of passers-by: deleted as soon as they are compared, and within minutes whatever happens. What is"
        " computed from your face is never stored.",
        f"The picture of a possible match, in which nobody else can be recognised: {policy.evidence_hours} hours; up"
        " to 30 days where somebody was spoken to, was taken for another, or asked for it.",
        "The list and its pictures: deleted within 24 hours of the end, and that is certified; copies for"
        " emergencies expire a day later.",
        "Counts without names, and a record of who did what: for good.",
    )


def _was_i(contacts: Contacts) -> str:
    return (
        f"Ask the data protection officer ({contacts.data_protection or contacts.complaints}): say the number on your"
        " slip, or the place and the time. Your face is never searched for an answer."
    )


def _sentences(found: Sequence[str]) -> Markup:
    return html("<ul>{}</ul>", joined(html("<li>{}</li>", one) for one in found))


def _times(deployment: Deployment, zone: ZoneInfo) -> str:
    begins, ends = (_local(moment, zone) for moment in (deployment.starts_at, deployment.ends_at))
    same = begins.date() == ends.date()
    last = f"{ends:%H:%M}" if same else f"{_date(ends)}, {ends:%H:%M}"
    return f"{_date(begins)}, {begins:%H:%M} to {last} ({zone.key})"


def _date(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(UTC).astimezone(zone)


def _count(number: int, of: str) -> str:
    return f"{number} {of}{'' if number == 1 else 's'}"
