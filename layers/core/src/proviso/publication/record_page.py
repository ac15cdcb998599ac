"""The public record of one deployment as a page that stands alone (S32)."""

from collections.abc import Mapping, Sequence
from typing import Any

from proviso.publication.figures import ELSEWHERE, WORDS, interval, said, value, when
from proviso.publication.markup import Markup, facts, html, joined, links, numbers, page, section, table

Record = Mapping[str, Any]


def record_page(record: Record, *, files: Sequence[tuple[str, str]] = ()) -> str:
    """`files`: (words, address) of the same record in other forms, and of its other revisions."""
    parts = (
        _in_short(record),
        section("What, where and when", facts(_terms(record))),
        section("Who was on the list", *_list(record)),
        section("How it searched", facts(_search(record))),
        section("Faces and candidates", *_counts(record), long=True),
        section("Rates, each with its denominator", *_rates(record), long=True),
        section("What others publish", elsewhere()),
        section("Frames", *_frames(record)),
        section("Deleted", *_deletion(record), long=True),
        section("About this record", facts(_about(record)), _changes(record)),
    )
    title = f"Public record: {record['place']}, {_day(record)}"
    header = joined((demonstration(record["demonstration"]), html("<h1>{}</h1>", title), links(files)))
    footer = html('<p class="small quiet">Made by the machine, from what it counted and what people recorded.</p>')
    return page(title, header, joined(parts), footer)


def demonstration(word: str | None) -> Markup:
    """What a record says first that is of no real use."""
    if not word:
        return Markup("")
    return html('<p class="banner">{}: public-domain photographs, and nobody before a camera</p>', word)


def elsewhere() -> Markup:
    """Figures of others, beside and not under those of a record."""
    note = html(
        '<p class="small quiet">Not to be set against the figures above without care: what is counted differs.</p>'
    )
    return joined((note, table("Published by others", ("who and when", "figures", "counted in"), ELSEWHERE)))


def _day(record: Record) -> str:
    return str(record["times"]["started_at"] or record["times"]["starts_at"])[:10]


def _in_short(record: Record) -> Markup:
    if record["times"]["started_at"] is None:
        return section("In short", html('<p class="lead">It never started: nothing was searched.</p>'))
    return section(
        "In short",
        numbers(
            (
                ("faces searched", record["faces"]["searched"]),
                ("people on the list", record["list"]["entries"]),
                ("candidates", record["candidates"]["total"]),
                ("of them false", record["truth"]["false"]),
                ("of them true", record["truth"]["true"]),
                ("of them not known", _unknown(record)),
            )
        ),
        html('<p class="quiet">Figures are {}.</p>', _standing(record)),
    )


def _unknown(record: Record) -> int:
    return int(record["candidates"]["total"] - record["truth"]["true"] - record["truth"]["false"])


def _standing(record: Record) -> str:
    if record["figures"] == "final":
        return "final: outcomes are closed, and the last backup has expired"
    return "those of the close: outcomes may still come in, and another revision follows"


def _terms(record: Record) -> list[tuple[str, Any]]:
    policy, times, notice = record["policy"], record["times"], record["notice"]
    ended = "stopped before its end" if record["stops"]["stopped_before_its_end"] else "until its end"
    suspended = record["stops"]["suspensions"]
    return [
        ("operator", f"{record['operator']['name']} ({said(record['operator']['kind'])})"),
        ("place", f"{record['place']} ({said(record['premises'])})"),
        ("use", said(record["use"])),
        ("authorised for", f"{when(times['starts_at'])} to {when(times['ends_at'])}"),
        ("ran", "never" if not times["started_at"] else f"{when(times['started_at'])} to {when(times['finished_at'])}"),
        ("how it ended", ended),
        ("suspended by the monitoring", "not monitored" if suspended is None else suspended),
        ("cameras", record["cameras"]),
        ("legal basis", record["legal_basis"]),
        ("policy document", record["policy_document"]),
        ("rules it ran under", policy["title"]),
        ("in which these differ from the published ones", _differences(policy)),
        ("requested by", _who(record["requested"])),
        ("authorised by", _who(record["authorised"])),
        ("public notice", _notice(notice)),
        ("signage attested", when(notice["signage_attested_at"])),
    ]


def _differences(policy: Record) -> Any:
    if not policy["extends"]:
        return "these are the published ones"
    if not policy["differences"]:
        return f"tighter than {policy['extends']} in some values, looser in none"
    return html("<ul>{}</ul>", joined(html("<li>{}</li>", one) for one in policy["differences"]))


def _who(person: Record | None) -> str:
    if person is None:
        return "nobody"
    rank = f", rank {person['rank']}" if person["rank"] else ""
    return f"a person with the role of {person['role']}{rank}"


def _notice(notice: Record) -> str:
    if notice["published_at"]:
        return f"published {when(notice['published_at'])}"
    return f"waived {when(notice['waived_at'])}" if notice["waived_at"] else "not published"


def _list(record: Record) -> list[Markup]:
    found = record["list"]
    age = found["age_at_start_minutes"]
    rows = found["by_category"] or []
    return [
        facts(
            (
                ("people", found["entries"]),
                ("enrolled pictures", found["references"]),
                ("built", when(found["built_at"])),
                ("age when it started", "it never started" if age is None else f"{age // 60} h {age % 60} min"),
                ("by group", "not recorded: the machine does not know it, and nobody is asked"),
            )
        ),
        table("By category", ("category", "people"), ((said(r["category"]), r["entries"]) for r in rows), right=(1,))
        if rows
        else html('<p class="quiet">By category: not recorded.</p>'),
    ]


def _search(record: Record) -> list[tuple[str, Any]]:
    search = record["search"]
    calibration = search["calibration"]
    told = "not calibrated: nobody knows how often a stranger reaches this threshold"
    if calibration:
        told = (
            f"{calibration['id']} ({said(calibration['kind'])}, {when(calibration['made_at'])}) {calibration['remark']}"
        )
    return [
        ("threshold", f"{search['threshold']} (cosine similarity)"),
        ("model pack", search["pack"] or "not recorded"),
        ("pipeline", html("<code>{}</code>", search["pipeline"])),
        ("frames an upload may hold", search["frames_an_upload"]),
        ("calibration", told),
        ("software build", html("<code>{}</code>", search["software_build"])),
    ]


def _counts(record: Record) -> list[Markup]:
    faces = record["faces"]
    return [
        html("<h3>Faces</h3>"),
        numbers(
            (
                ("detected", faces["detected"]),
                ("refused by quality", faces["refused_by_quality"]),
                ("searched", faces["searched"]),
                ("not searched: more than 256 in a frame", faces["not_searched"]),
                ("passages (one person before one camera)", "not measured"),
                ("passages expected, as declared", faces["passages_expected"]),
            )
        ),
        html("<h3>Candidates</h3>"),
        numbers((said(name), record["candidates"][name]) for name in record["candidates"]),
        table(
            "What is known of them: each candidate once",
            ("what is known", "candidates"),
            ((WORDS[name], record["truth"][name]) for name in WORDS if name in record["truth"]),
            right=(1,),
        ),
        table(
            "What recipients did where somebody was engaged",
            ("action", "times"),
            ((said(name), count) for name, count in record["actions"].items()),
            right=(1,),
        ),
    ]


def _rates(record: Record) -> list[Markup]:
    rows = (
        (one["figure"], value(one), interval(one), html("{} of {} {}", one["count"], one["of"], one["unit"]))
        for one in record["rates"]
    )
    columns = ("figure", "rate", "95 % interval", "counted")
    unknown = html(
        '<p class="small quiet">Of {} of {} candidates it is not known whether they are true or false. But for'
        " the line where the truth is known, they count as neither, and no interval allows for them.</p>",
        _unknown(record),
        record["candidates"]["total"],
    )
    caveat = html('<p class="small quiet">{}</p>', record["caveat"])
    return [table("Clopper-Pearson intervals", columns, rows), unknown, caveat]


def _frames(record: Record) -> list[Markup]:
    rows = [("searched", "", record["frames"]["searched"])]
    rows += [(said(one["outcome"]), said(one["reason"]), one["frames"]) for one in record["frames"]["not_searched"]]
    return [
        table("By outcome", ("outcome", "reason", "frames"), rows, right=(2,)),
        html('<p class="small quiet">{}</p>', record["frames"]["remark"]),
    ]


def _deletion(record: Record) -> list[Markup]:
    found = record["deletion"]
    expired = found["backups_expired_at"]
    return [
        facts(
            (
                ("counted to zero", when(found["verified_at"])),
                ("pictures kept, because a hold stands", found["pictures_held"]),
                (
                    "last backup",
                    f"expired {when(expired)}" if expired else f"expires {when(found['backups_expire_at'])}",
                ),
            )
        ),
        table(
            "Left in each store, kept pictures apart",
            ("store", "left"),
            ((s["store"], s["left"]) for s in found["stores"]),
            right=(1,),
        ),
    ]


def _about(record: Record) -> list[tuple[str, Any]]:
    audit = record["audit"]
    return [
        ("deployment", html("<code>{}</code>", record["deployment"])),
        ("revision", f"{record['revision']}, published {when(record['published_at'])}"),
        ("audit chain then", html("record {}, hash <code>{}</code>", audit["sequence"], audit["hash"])),
        ("policy digest", html("<code>{}</code>", record["policy"]["digest"])),
    ]


def _changes(record: Record) -> Markup:
    return html(
        "<h3>What is new in this revision</h3><ul>{}</ul>",
        joined(html("<li>{}</li>", one) for one in record["changes"]),
    )
