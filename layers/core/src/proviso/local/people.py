"""Whom the local database knows, so that the sign-in page can offer them with their roles."""

from proviso.local.sign_in_page import Account

_AT_MOST = 200


def people(database_url: str) -> list[Account]:
    """Accounts with their roles; none where the database does not answer or has no tables yet."""
    import psycopg

    try:
        with psycopg.connect(database_url, connect_timeout=2) as connection:
            found = connection.execute("SELECT sub, roles FROM person ORDER BY sub LIMIT %s", (_AT_MOST,)).fetchall()
    except psycopg.Error:
        return []
    return [Account(sub, tuple(sorted(roles))) for sub, roles in found]
