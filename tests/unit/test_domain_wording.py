"""What goes out: one SMS part in each language, no name, category or similarity (S20); and strict files of words."""

import re
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proviso.domain.errors import ConfigurationFault
from proviso.domain.notice import (
    GSM7,
    PLACE_LENGTH,
    SMS_SEPTETS,
    Kind,
    confirmed_notice,
    place_fault,
    raised_notice,
    suspended_notice,
    withdrawn_notice,
)
from proviso.domain.wording import LANGUAGES, Wording, texts
from proviso.notices import all_wordings, wording
from tests.samples import NOW, candidate, confirmation, deployment, notice, suspension

LONDON = ZoneInfo("Europe/London")
LONGEST_PREFIX = "W" * 14  # policies/: at most 14 of A to Z and space
CONSOLE = "https://example.com/console"
EXTENSION = "^{}\\[~]|€\f"
"""The GSM alphabet's extension table: each of these is two septets."""
WORDS = {
    "en": {
        "look": "Look now",
        "sms": "possible match, checked by a reviewer; not proof of identity: verify first",
        "email": "Possible match, checked by a reviewer; not proof of identity: verify first",
        "withdrawn": "WITHDRAWN",
        "uncalibrated": "Not calibrated",
    },
    "cy": {
        "look": "Edrychwch nawr",
        "sms": "cyfatebiaeth bosibl, gwiriwyd gan adolygydd; nid prawf hunaniaeth: gwiriwch gyntaf",
        "email": "Cyfatebiaeth bosibl, wedi'i gwirio gan adolygydd; nid yw'n brawf o hunaniaeth: gwiriwch yn gyntaf",
        "withdrawn": "CANSLWYD",
        "uncalibrated": "Heb raddnodi",
    },
}


def said(kind=Kind.RAISED, language="en", console="", **changed):
    return texts(notice(kind, **changed), LONDON, wording(language), console)


def septets(text):
    return sum(2 if sign in EXTENSION else 1 for sign in text)


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("prefix", ["", "TRIAL", "DEMONSTRATION", LONGEST_PREFIX])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_longest_notice_is_one_sms_part(language, kind, calibrated, prefix):
    place = "ÄÖ" + "W" * (PLACE_LENGTH - 2)
    assert place_fault(place) is None
    made = said(kind, language, CONSOLE, place=place, message_prefix=prefix, calibrated=calibrated)
    assert septets(made.sms) <= SMS_SEPTETS
    assert set(made.sms) <= GSM7
    assert made.subject.isascii()
    assert 0 < len(made.subject) < 100
    assert "\n" not in made.subject + made.sms
    assert "\r" not in made.subject
    assert (WORDS[language]["uncalibrated"] in made.sms) is not calibrated
    assert (wording(language).email["uncalibrated"] in made.email) is not calibrated
    if prefix:
        assert made.sms.startswith(prefix)
        assert made.subject.startswith(prefix)
        assert made.email.startswith(f"{prefix}: ")


@pytest.mark.parametrize("sign", EXTENSION)
def test_a_sign_that_counts_twice_is_in_no_place(sign):
    assert place_fault(f"Gate {sign}1")
    assert sign not in GSM7


@settings(deadline=None)
@given(st.text(st.sampled_from(sorted(GSM7 - {"\n", "\r"})), min_size=1, max_size=PLACE_LENGTH))
def test_every_place_that_is_accepted_can_be_sent_in_every_language(place):
    if place_fault(place) is None:
        for language in LANGUAGES:
            for kind in Kind:
                made = said(kind, language, place=place, message_prefix=LONGEST_PREFIX, calibrated=False)
                assert place in made.sms
                assert septets(made.sms) <= SMS_SEPTETS


def test_what_would_not_fit_is_not_sent():
    with pytest.raises(ValueError, match="not one GSM-7 part"):
        said(place="x" * 200)
    with pytest.raises(ValueError, match="not one GSM-7 part"):
        said(place="門")


@pytest.mark.parametrize("language", LANGUAGES)
def test_recipients_are_told_to_verify_first_and_reviewers_to_look(language):
    made, words = said(Kind.CONFIRMED, language), WORDS[language]
    assert words["sms"] in made.sms
    assert words["email"] in made.email
    assert words["look"] in said(Kind.RAISED, language).sms
    assert words["withdrawn"] in said(Kind.WITHDRAWN, language).sms
    assert words["sms"] not in said(Kind.WITHDRAWN, language).sms


@pytest.mark.parametrize("language", LANGUAGES)
def test_times_are_local_and_dates_as_people_write_them(language):
    summer = NOW.replace(month=7)
    made = said(Kind.CONFIRMED, language, occurred_at=summer, expires_at=summer + timedelta(minutes=10))
    assert "21:15:30" in made.sms
    assert "21:25:30" in made.email
    assert {"en": "21:15:30 on 22 July 2026", "cy": "21:15:30 ar 22 Gorffennaf 2026"}[language] in made.email
    assert "20:15:30" in said(language=language).sms


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_an_sms_never_has_a_link_and_an_e_mail_only_the_consoles(language, kind):
    made = said(kind, language, CONSOLE)
    assert re.findall(r"https?:|www|example", made.sms + made.subject) == []
    assert made.email.count("https://") == 1
    page = CONSOLE if kind in (Kind.RAISED, Kind.SUSPENDED) else f"{CONSOLE}/notices"  # each to the page that is theirs
    assert f"{page}\n" in made.email
    assert "http" not in said(kind, language).email


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_an_e_mail_says_how_delivery_is_known(language, kind):
    assert wording(language).email["delivery"] in said(kind, language).email
    assert "Amazon SNS" in wording(language).email["delivery"]


@pytest.mark.parametrize("console", ["", CONSOLE])
@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("prefix", ["", "TRIAL"])
def test_no_e_mail_has_a_gap_where_something_is_left_out(prefix, calibrated, console):
    made = said(Kind.CONFIRMED, "en", console, message_prefix=prefix, calibrated=calibrated)
    assert "\n\n\n" not in made.email
    assert made.email == made.email.strip() + "\n"
    assert not re.search(r"[{}]", made.email)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", Kind)
def test_no_name_category_or_similarity_is_in_the_texts(kind, language):
    proof = confirmation(similarity=0.7171, entry_id="entry-of-somebody", policy="secret-policy 1")
    made = {
        Kind.RAISED: lambda: raised_notice(candidate(similarity=0.7171, entry_id="entry-of-somebody"), "DEMONSTRATION"),
        Kind.CONFIRMED: lambda: confirmed_notice(replace(proof, category="secret-category")),
        Kind.WITHDRAWN: lambda: withdrawn_notice(replace(proof, category="secret-category")),
        Kind.SUSPENDED: lambda: suspended_notice(suspension(finding="secret-finding"), deployment()),
    }[kind]()
    sent = texts(made, LONDON, wording(language), CONSOLE)
    everything = sent.sms + sent.subject + sent.email
    for hidden in ("entry-of-somebody", "0.7171", "71 %", "0.5", "evidence", "secret-", "reviewer-1", "alike"):
        assert hidden not in everything
    assert "%" not in sent.sms + sent.email
    assert re.findall(r"entry-of-somebody|0\.7171|secret-policy|reviewer-1|alike", made.to_json()) == []


# --- the files -------------------------------------------------------------------------------------------------------


def files(language="en"):
    from importlib.resources import files as found

    folder = found("proviso.notices") / language
    return (folder / "sms.txt").read_text("utf-8"), (folder / "email.txt").read_text("utf-8")


def test_every_language_has_its_files_and_they_can_be_read():
    assert set(all_wordings()) == set(LANGUAGES) == set(WORDS)


def test_all_languages_say_the_same_things():
    """No fact is in one and not in another: the fields of each section agree."""
    field = re.compile(r"\{[a-z]+\}")
    for name in ("sms", "email"):
        sections = [{k: sorted(field.findall(v)) for k, v in getattr(w, name).items()} for w in all_wordings().values()]
        assert all(one == sections[0] for one in sections)


@pytest.mark.parametrize("language", ["fr", "", "../en", "EN"])
def test_an_unknown_language_is_a_fault_of_the_installation(language):
    with pytest.raises(ConfigurationFault, match="no notices"):
        wording(language)


SMS, EMAIL = files()


@pytest.mark.parametrize(
    ("sms", "email", "says"),
    [
        (SMS.replace("[raised]", "[rised]"), EMAIL, "rised"),
        (SMS.replace("{place}", "{category}", 1), EMAIL, "category"),
        (SMS.replace("{place}", "{label}"), EMAIL, "label"),
        (SMS.replace(", {place}", ""), EMAIL, "does not say place"),
        (SMS.replace("{reference} ", "", 1), EMAIL, "does not say reference"),
        (SMS.replace("Decide by", "Decide\nby"), EMAIL, "one line"),
        (SMS.replace("{until}", "{until"), EMAIL, "brace|does not say"),
        (SMS.replace("Decide", "{Decide}"), EMAIL, "brace"),
        (SMS + "[raised]\nx\n", EMAIL, "there twice"),
        ("hello\n" + SMS, EMAIL, "before the first"),
        (SMS.replace("Not calibrated.", ""), EMAIL, "uncalibrated.*empty"),
        (SMS, EMAIL.replace("{delivery}", "{similarity}"), "similarity"),
        (SMS, EMAIL.replace(" December", ""), "twelve"),
        (SMS, EMAIL.replace("[withdrawn subject]\n{prefix}", "[withdrawn subject]\n{prefix}\n"), "one line"),
        (SMS, EMAIL.replace("[console]", "[consol]"), "consol"),
        (SMS, EMAIL.replace("{uncalibrated}", "", 1), "does not say uncalibrated"),
    ],
)
def test_a_file_that_is_not_as_it_must_be_is_refused_when_it_is_read(sms, email, says):
    assert (sms, email) != (SMS, EMAIL)
    with pytest.raises(ValueError, match=says):
        Wording.parse(sms, email)
