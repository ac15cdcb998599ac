"""Watchlists, their entries and references, and the builds made of them (S06, S31)."""

from datetime import datetime
from typing import LiteralString

from proviso.domain.reasons import Reason, Refused
from proviso.domain.watchlist import Build, Entry, Reference, Watchlist, build_digest
from proviso.store import rows
from proviso.store.connection import Session
from proviso.store.halfvec import HalfVector

_WATCHLISTS: LiteralString = """
SELECT w.id, w.name, w.policy, w.categories, w.max_entries, w.consent_required, w.under_18_allowed,
       w.image_refuse_age_years, w.created_by, w.created_at, w.delete_requested_at,
       (SELECT count(*) FROM entry e WHERE e.watchlist_id = w.id AND e.removed_at IS NULL) AS entries,
       (SELECT count(*) FROM reference r JOIN entry e ON e.id = r.entry_id
        WHERE r.watchlist_id = w.id AND e.removed_at IS NULL) AS references
FROM watchlist w
"""
_ENTRIES: LiteralString = """
SELECT e.id, e.watchlist_id, e.reference_no, e.label, e.category, e.reason, e.source, e.lawful_holding, e.image_date,
       e.consent_reference, e.added_by, e.added_at, e.removed_at, e.under_18, e.harm_reason, e.approved_by,
       e.approved_at,
       (SELECT count(*) FROM reference r WHERE r.entry_id = e.id) AS references
FROM entry e
WHERE e.watchlist_id = %(watchlist)s AND e.erased_at IS NULL
"""
_USABLE = """
SELECT r.id, r.entry_id, r.image_digest
FROM reference r JOIN entry e ON e.id = r.entry_id
WHERE r.watchlist_id = %(watchlist)s AND r.pipeline = %(pipeline)s AND e.removed_at IS NULL
  AND (NOT e.under_18 OR e.approved_by IS NOT NULL)
ORDER BY r.id
"""
_ADD_ENTRY = """
INSERT INTO entry (id, watchlist_id, reference_no, label, category, reason, source, lawful_holding, image_date,
                   consent_reference, added_by, added_at, under_18, harm_reason)
VALUES (%(id)s, %(watchlist_id)s, %(reference_no)s, %(label)s, %(category)s, %(reason)s, %(source)s,
        %(lawful_holding)s, %(image_date)s, %(consent_reference)s, %(added_by)s, %(added_at)s, %(under_18)s,
        %(harm_reason)s)
"""
_ADD_REFERENCE = """
INSERT INTO reference (id, entry_id, watchlist_id, pipeline, image_key, image_digest, added_by, added_at, face)
VALUES (%(id)s, %(entry_id)s, %(watchlist_id)s, %(pipeline)s, %(image_key)s, %(image_digest)s, %(added_by)s,
        %(added_at)s, %(face)s)
"""
_ADD_BUILD = """
INSERT INTO build (id, watchlist_id, pipeline, digest, entries, "references", built_by, built_at)
VALUES (%(id)s, %(watchlist_id)s, %(pipeline)s, %(digest)s, %(entries)s, %(references)s, %(built_by)s, %(built_at)s)
"""

_NAMED = 5


class WatchlistTables:
    """Watchlists, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_watchlist(self, watchlist: Watchlist) -> None:
        names = (
            "id",
            "name",
            "policy",
            "max_entries",
            "consent_required",
            "under_18_allowed",
            "image_refuse_age_years",
            "created_by",
            "created_at",
        )
        values = {name: getattr(watchlist, name) for name in names}
        self._session.change(
            """
            INSERT INTO watchlist (id, name, policy, categories, max_entries, consent_required, under_18_allowed,
                                   image_refuse_age_years, created_by, created_at)
            VALUES (%(id)s, %(name)s, %(policy)s, %(categories)s, %(max_entries)s, %(consent_required)s,
                    %(under_18_allowed)s, %(image_refuse_age_years)s, %(created_by)s, %(created_at)s)
            """,
            {**values, "categories": list(watchlist.categories)},
        )

    def watchlist(self, watchlist_id: str, *, lock: bool = False) -> Watchlist | None:
        """One list with its counts (removed entries are not counted); None also when it is erased.

        `lock`: nobody else adds until the transaction ends, so that a cap that is checked is a cap that holds.
        """
        given = {"watchlist": watchlist_id}
        if lock:  # a statement of its own: the counts below must see what was committed while this one waited
            self._session.rows("SELECT id FROM watchlist WHERE id = %(watchlist)s FOR NO KEY UPDATE", given)
        found = self._session.row(_WATCHLISTS + "WHERE w.id = %(watchlist)s AND w.erased_at IS NULL", given)
        return rows.watchlist(found) if found else None

    def watchlists(self) -> list[Watchlist]:
        """All lists that are not erased, newest first."""
        found = self._session.rows(_WATCHLISTS + "WHERE w.erased_at IS NULL ORDER BY w.created_at DESC, w.id")
        return [rows.watchlist(row) for row in found]

    def add_entry(self, entry: Entry) -> None:
        """RuleBroken when a ground is blank, the category is not the list's, it is full, or the number is taken."""
        names = (
            "id",
            "watchlist_id",
            "reference_no",
            "label",
            "category",
            "reason",
            "source",
            "lawful_holding",
            "image_date",
            "consent_reference",
            "added_by",
            "added_at",
            "under_18",
            "harm_reason",
        )
        self._session.change(_ADD_ENTRY, {name: getattr(entry, name) for name in names})

    def entry(self, watchlist_id: str, entry_id: str) -> Entry | None:
        """One entry, removed ones too; None when it is erased."""
        found = self._session.row(_ENTRIES + "AND e.id = %(entry)s", {"watchlist": watchlist_id, "entry": entry_id})
        return rows.entry(found) if found else None

    def reference_taken(self, watchlist_id: str, reference_no: str) -> bool:
        """Is this reference number on the list, be its entry removed or not?"""
        given = {"watchlist": watchlist_id, "number": reference_no}
        query: LiteralString = (
            "SELECT EXISTS (SELECT FROM entry WHERE watchlist_id = %(watchlist)s AND reference_no = %(number)s)"
        )
        return bool(self._session.value(query, given))

    def entries(self, watchlist_id: str) -> list[Entry]:
        """All entries, removed ones too, in the order in which they were added."""
        found = self._session.rows(_ENTRIES + "ORDER BY e.added_at, e.id", {"watchlist": watchlist_id})
        return [rows.entry(row) for row in found]

    def remove_entry(self, watchlist_id: str, entry_id: str, at: datetime) -> bool:
        """A tombstone that every search from now on honours. Removing twice keeps the first time."""
        changed = self._session.change(
            """
            UPDATE entry SET removed_at = COALESCE(removed_at, %(at)s)
            WHERE id = %(entry)s AND watchlist_id = %(watchlist)s
            """,
            {"entry": entry_id, "watchlist": watchlist_id, "at": at},
        )
        return changed == 1

    def reference_of(self, entry_id: str, image_digest: str, pipeline: str) -> str | None:
        """The reference that this very picture (SHA-256) of this entry has in this pipeline, or None."""
        found = self._session.value(
            """
            SELECT id FROM reference
            WHERE entry_id = %(entry)s AND image_digest = %(digest)s AND pipeline = %(pipeline)s
            """,
            {"entry": entry_id, "digest": image_digest, "pipeline": pipeline},
        )
        return None if found is None else str(found)

    def approve_entry(self, watchlist_id: str, entry_id: str, by: str, at: datetime) -> bool:
        """A second person's approval of an entry under 18 (S09). False when there is none that waits for one."""
        changed = self._session.change(
            """
            UPDATE entry SET approved_by = %(by)s, approved_at = %(at)s
            WHERE id = %(entry)s AND watchlist_id = %(watchlist)s AND under_18 AND approved_by IS NULL
              AND removed_at IS NULL AND erased_at IS NULL AND added_by <> %(by)s
            """,
            {"entry": entry_id, "watchlist": watchlist_id, "by": by, "at": at},
        )
        return changed == 1

    def request_deletion(self, watchlist_id: str, by: str, at: datetime) -> bool:
        """From now on nothing is added and no deployment asked for; retain erases it. False when it is gone."""
        changed = self._session.change(
            """
            UPDATE watchlist SET delete_requested_at = %(at)s, delete_requested_by = %(by)s
            WHERE id = %(watchlist)s AND erased_at IS NULL AND delete_requested_at IS NULL
            """,
            {"watchlist": watchlist_id, "by": by, "at": at},
        )
        return changed == 1

    def in_use(self, watchlist_id: str) -> list[str]:
        """The deployments on this list that are not closed."""
        found = self._session.tuples(
            "SELECT id FROM deployment WHERE watchlist_id = %(watchlist)s AND state <> 'closed' ORDER BY id",
            {"watchlist": watchlist_id},
        )
        return [str(row[0]) for row in found]

    def add_reference(self, reference: Reference) -> None:
        """Store a reference and, apart from it, its template. RuleBroken when the list is erased."""
        names = ("id", "entry_id", "watchlist_id", "pipeline", "image_key", "image_digest", "added_by", "added_at")
        values = {name: getattr(reference, name) for name in names}
        self._session.change(_ADD_REFERENCE, {**values, "face": list(reference.face) if reference.face else None})
        self._session.change(
            """
            INSERT INTO reference_template (reference_id, watchlist_id, pipeline, template)
            VALUES (%(id)s, %(watchlist_id)s, %(pipeline)s, %(template)s::halfvec)
            """,
            {
                "id": reference.id,
                "watchlist_id": reference.watchlist_id,
                "pipeline": reference.pipeline,
                "template": HalfVector(reference.template),
            },
        )

    def add_build(self, build_id: str, watchlist_id: str, pipeline: str, by: str, at: datetime) -> Build | Refused:
        """Snapshot the usable references: of this pipeline, of entries that are not removed. BUILD_EMPTY, and
        REFERENCES_DIFFER where those of one entry are so unlike that they cannot be of one person."""
        usable = self._session.tuples(_USABLE, {"watchlist": watchlist_id, "pipeline": pipeline})
        if not usable:
            return Refused(Reason.BUILD_EMPTY)
        given = {"watchlist": watchlist_id, "pipeline": pipeline}
        differ = self._session.tuples("SELECT entries_that_differ(%(watchlist)s, %(pipeline)s)", given)
        if differ:
            named = ", ".join(str(row[0]) for row in differ[:_NAMED])
            return Refused(
                Reason.REFERENCES_DIFFER, named + (f" and {len(differ) - _NAMED} more" if len(differ) > _NAMED else "")
            )
        build = Build(
            id=build_id,
            watchlist_id=watchlist_id,
            pipeline=pipeline,
            digest=build_digest(watchlist_id, pipeline, list(usable)),
            entries=len({entry for _, entry, _ in usable}),
            references=len(usable),
            built_by=by,
            built_at=at,
        )
        names = ("id", "watchlist_id", "pipeline", "digest", "entries", "references", "built_by", "built_at")
        self._session.change(_ADD_BUILD, {name: getattr(build, name) for name in names})
        self._session.change(
            """
            INSERT INTO build_reference (build_id, reference_id, entry_id)
            SELECT %(build)s, reference_id, entry_id
            FROM unnest(%(references)s::text[], %(entries)s::text[]) AS u (reference_id, entry_id)
            """,
            {
                "build": build_id,
                "references": [reference for reference, _, _ in usable],
                "entries": [entry for _, entry, _ in usable],
            },
        )
        return build

    def build(self, build_id: str) -> Build | None:
        found = self._session.row(rows.BUILDS + "WHERE id = %(build)s", {"build": build_id})
        return rows.build(found) if found else None

    def warm(self, build_id: str) -> int:
        """Fresh statistics and one pass of the search over the build; how many references a search would compare."""
        return int(self._session.value("SELECT warm_build(%(build)s)", {"build": build_id}) or 0)
