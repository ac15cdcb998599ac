-- Up to which hour the ledger is folded into the audit (rule 3). It used to stand in the ledger itself, a write a frame
-- that was never searched. Here it is one row a run that folded something, in the same transaction as the audit records,
-- so that no frame is folded twice; and a restored database folds again what it does not know of.

CREATE TABLE ledger_fold (
    hour text PRIMARY KEY CHECK (hour ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}$'),
    frames bigint NOT NULL CHECK (frames >= 0),
    folded_at timestamptz NOT NULL
);
CREATE TRIGGER ledger_fold_stays BEFORE UPDATE OR DELETE ON ledger_fold FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_fold_stays_all BEFORE TRUNCATE ON ledger_fold FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON ledger_fold TO proviso_retain;
