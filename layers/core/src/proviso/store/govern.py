"""The store of govern and enrol: people, contacts, watchlists, deployments and the audit in one transaction."""

from proviso.store.audit import AnchorTable, AuditTable
from proviso.store.certificates import CertificateTable
from proviso.store.conditions import ConditionTables
from proviso.store.connection import Connector, Session, Store
from proviso.store.contacts import ContactTable
from proviso.store.deployments import DeploymentTables
from proviso.store.holds import HoldTable
from proviso.store.known import SchemaTable
from proviso.store.monitoring import MonitoringTables
from proviso.store.people import PeopleTable
from proviso.store.subjects import SubjectTables
from proviso.store.watchlists import WatchlistTables


class PostgresGovernWork(
    PeopleTable,
    ContactTable,
    WatchlistTables,
    DeploymentTables,
    ConditionTables,
    HoldTable,
    CertificateTable,
    SubjectTables,
    MonitoringTables,
    SchemaTable,
    AuditTable,
    AnchorTable,
):
    """GovernWork. Its login role decides what of it may be done: enrol's, for example, authorises nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session


class PostgresGovernStore(Store[PostgresGovernWork]):
    """GovernStore."""

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector, PostgresGovernWork)
