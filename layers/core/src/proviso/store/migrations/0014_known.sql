-- govern asks nobody, authorises nothing and starts nothing while the database has a migration that its build does not know:
-- after an update that was taken back, the functions of before are in a schema that is newer than they are.

GRANT SELECT ON schema_migration TO proviso_govern;
