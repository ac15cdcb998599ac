"""Faults: things that should not happen and are worth another try or an alarm.

Refusals are not faults. A refusal is an answer (`reasons.Refused`), is final and is counted; a fault is raised.

    Fault
    ├── TransientFault          try again within the frame's age limit
    │   ├── DatabaseAway        the database sleeps, resumes or is gone
    │   └── StorageFault        S3, SQS, SNS or DynamoDB failed or answered 403 (never to be read as "gone")
    ├── PermitUnreadable        there is a permit object, but it does not say anything that can be relied on
    ├── PipelineMismatch        this process computes other templates than those it should be compared with
    ├── AuditUnwritable         an act that cannot be recorded is not done
    └── ConfigurationFault      settings, model files or a hash are wrong; says which and what to do
        └── NewerSchema         the database was migrated by a newer build than this one

Messages name keys, identifiers and counts. They never hold pixels, templates, names or event bodies.
"""


class Fault(Exception):
    """Something went wrong that is nobody's decision. Fail closed: not searched, not deleted, tried again."""


class TransientFault(Fault):
    """A fault that time may mend."""


class DatabaseAway(TransientFault):
    """The database cannot be reached now."""


class StorageFault(TransientFault):
    """A storage or messaging service failed or denied. A denial is a fault of operation, never "gone"."""


class PermitUnreadable(Fault):
    """A permit exists but cannot be understood; nothing may be searched under it (S36)."""


class PipelineMismatch(Fault):
    """The pipeline of this process is not the one that the permit names (S36)."""


class AuditUnwritable(Fault):
    """The audit record could not be written, so the act did not happen (S36)."""


class ConfigurationFault(Fault):
    """The installation is wrong. The message says what, and what to do."""


class NewerSchema(ConfigurationFault):
    """The database was migrated by a newer build than this. Migrations go forward only."""
