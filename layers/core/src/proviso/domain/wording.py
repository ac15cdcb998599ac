"""The words of notices, as a file of each language gives them (S20), and how a notice becomes a text.

The format is small and strict. `[name]` begins a section, `#` a comment, `{field}` stands for a value. A section that
is missing or unknown, and a field that is not one of its section's, are errors when the file is read, so that no notice
fails over its words when it is to go out. There is no field for a name, a category or a similarity.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from proviso.domain.candidate import short_reference
from proviso.domain.notice import GSM7, SMS_SEPTETS, Kind, Notice, NoticeTexts

LANGUAGES = ("en", "cy")
"""English, and Welsh: the second language in which a police force in Wales serves the public."""
SUBJECT_LENGTH = 99

_FIELD = re.compile(r"\{([a-z]+)\}")
_ALONE = re.compile(r"\{[a-z]+\}")
_SAID = frozenset({"prefix", "reference", "time", "place", "until"})
_SMS = {
    Kind.RAISED.value: _SAID | {"uncalibrated"},
    Kind.CONFIRMED.value: _SAID | {"uncalibrated"},
    Kind.WITHDRAWN.value: _SAID | {"uncalibrated"},
    Kind.SUSPENDED.value: _SAID | {"uncalibrated", "safeguard"},
    "uncalibrated": frozenset(),
}
_EMAIL = {
    **{f"{kind.value} subject": frozenset({"prefix", "reference"}) for kind in Kind},
    **{kind.value: _SAID | {"date", "trial", "uncalibrated", "console", "delivery", "safeguard"} for kind in Kind},
    "trial": frozenset({"word"}),
    "uncalibrated": frozenset(),
    "console": frozenset({"url"}),
    "delivery": frozenset(),
    "date": frozenset({"day", "month", "year"}),
    "months": frozenset(),
}
_MUST = {
    Kind.RAISED: {"reference", "time", "place", "until", "uncalibrated"},
    Kind.CONFIRMED: {"reference", "time", "place", "uncalibrated"},
    Kind.WITHDRAWN: {"reference", "time", "place", "uncalibrated"},
    Kind.SUSPENDED: {"reference", "time", "place", "safeguard", "uncalibrated"},
}
"""What the SMS and the e-mail of a kind must tell, in every language."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's sections, checked."""

    sms: Mapping[str, str]
    email: Mapping[str, str]

    @classmethod
    def parse(cls, sms: str, email: str) -> "Wording":
        """Read the two files. ValueError says what is wrong and where."""
        short, long = _sections(sms, "sms.txt", _SMS), _sections(email, "email.txt", _EMAIL)
        single = [*((short, name, "sms.txt") for name in _SMS), *((long, f"{k} subject", "email.txt") for k in Kind)]
        for found, name, file in single:
            if "\n" in found[name]:
                raise ValueError(f"{file} [{name}]: one line")
        for kind, must in _MUST.items():
            for found, file in ((short, "sms.txt"), (long, "email.txt")):
                if lacking := must - set(_FIELD.findall(found[kind.value])):
                    raise ValueError(f"{file} [{kind.value}] does not say {', '.join(sorted(lacking))}")
        if len(long["months"].split()) != 12:
            raise ValueError("email.txt [months]: twelve names")
        return cls(short, long)


def texts(notice: Notice, zone: ZoneInfo, words: Wording, console_url: str = "") -> NoticeTexts:
    """The words of a notice in the place's local time. ValueError if the SMS would not be one part (S20).

    `console_url` is the reviewers' page; recipients' is below it. It stands in the e-mail where it is given, and never
    in an SMS: nobody learns to tap links in those.
    """
    local, until = notice.occurred_at.astimezone(zone), notice.expires_at.astimezone(zone)
    word, kind = notice.message_prefix, notice.kind.value
    said = {
        "prefix": f"{word} " if word else "",
        "reference": short_reference(notice.candidate_id),
        "time": f"{local:%H:%M:%S}",
        "place": notice.place,
        "until": f"{until:%H:%M:%S}",
        "safeguard": notice.safeguard,
    }
    mark = "" if notice.calibrated else " " + words.sms["uncalibrated"]
    sms = _filled(words.sms[kind], {**said, "uncalibrated": mark})
    if len(sms) > SMS_SEPTETS or not GSM7.issuperset(sms):
        raise ValueError(f"the SMS is not one GSM-7 part ({len(sms)} characters)")
    long = words.email
    page = console_url if notice.kind in (Kind.RAISED, Kind.SUSPENDED) or not console_url else f"{console_url}/notices"
    date = {"day": str(local.day), "month": long["months"].split()[local.month - 1], "year": str(local.year)}
    more = {
        "date": _filled(long["date"], date),
        "trial": _filled(long["trial"], {"word": word}) if word else "",
        "uncalibrated": "" if notice.calibrated else long["uncalibrated"],
        "console": _filled(long["console"], {"url": page}) if page else "",
        "delivery": long["delivery"],
    }
    subject = _filled(long[f"{kind} subject"], said).encode("ascii", "replace").decode()[:SUBJECT_LENGTH]
    return NoticeTexts(sms=sms, subject=subject, email=_body(long[kind], {**said, **more}))


def _body(section: str, values: Mapping[str, str]) -> str:
    """Lines whose only field has no value are left out, and then no two blank lines follow each other."""
    kept: list[str] = []
    for line in section.split("\n"):
        filled = _filled(line, values)
        if (not filled and _ALONE.fullmatch(line.strip())) or (not filled and (not kept or not kept[-1])):
            continue
        kept.append(filled)
    return "\n".join(kept).strip() + "\n"


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda found: values[found[1]], text)


def _sections(text: str, file: str, known: Mapping[str, frozenset[str]]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("[") and line.rstrip().endswith("]"):
            name = line.strip()[1:-1]
            if name in found or name not in known:
                raise ValueError(f"{file}: [{name}] is {'there twice' if name in found else 'no section'}")
            lines = found[name] = []
        elif lines is not None:
            lines.append(line.rstrip())
        elif line.strip():
            raise ValueError(f"{file}: text before the first section")
    sections = {name: "\n".join(body).strip("\n") for name, body in found.items()}
    if missing := [name for name in known if not sections.get(name)]:
        raise ValueError(f"{file}: {', '.join(f'[{name}]' for name in missing)} is missing or empty")
    for name, body in sections.items():
        _check_fields(f"{file} [{name}]", body, known[name])
    return sections


def _check_fields(where: str, body: str, known: Iterable[str]) -> None:
    if odd := sorted(set(_FIELD.findall(body)) - set(known)):
        raise ValueError(f"{where}: no such field: {', '.join(odd)}")
    if "{" in (rest := _FIELD.sub("", body)) or "}" in rest:
        raise ValueError(f"{where}: a brace that is part of no field")
