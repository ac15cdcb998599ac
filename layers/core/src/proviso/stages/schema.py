"""Nothing is asked for, authorised or started by a build that is older than the database's schema (S03, S36).

An update that is taken back leaves the schema as it is: migrations go forward only. What the newer rules want of a row
the older code does not know.
"""

from proviso.domain.govern_ports import GovernWork
from proviso.domain.reasons import Reason, Refused


def newer_schema(work: GovernWork) -> Refused | None:
    """Why this build may not go on, or None."""
    unknown = work.unknown_migrations()
    return Refused(Reason.SCHEMA_NEWER, ", ".join(unknown)) if unknown else None
