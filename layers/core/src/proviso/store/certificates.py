"""Certificates as they are read: by whoever asks for one, and by retain before it closes again (S23)."""

from proviso.domain.retention import Certificate, StoreCount
from proviso.store.connection import Session


class CertificateTable:
    """The reading of certificates, mixed into the kinds of work that need it."""

    _session: Session

    def certificate(self, deployment_id: str) -> Certificate | None:
        """The certificate, once there is one."""
        found = self._session.row(
            """
            SELECT c.deployment_id, c.watchlist_id, c.counts, c.verified_at, c.backups_expire_at, c.held,
                   b.verified_at AS backups_expired_at
            FROM certificate c LEFT JOIN backup_certificate b ON b.deployment_id = c.deployment_id
            WHERE c.deployment_id = %(deployment)s
            """,
            {"deployment": deployment_id},
        )
        if found is None:
            return None
        return Certificate(**{**found, "counts": tuple(StoreCount(**count) for count in found["counts"])})
