-- Retention: what retain needs to erase by itself, to replay erasures after a restore, and to say what is held (S23, S24).

-- How many evidence pictures stayed when the deployment closed, because a hold stood (S24). The zero counts exclude them.
ALTER TABLE certificate ADD COLUMN held integer NOT NULL DEFAULT 0 CONSTRAINT s24_held CHECK (held >= 0);

-- A hold and a deletion of the same picture wait for one another: whoever comes second sees what the first one did.
CREATE OR REPLACE FUNCTION evidence_is_free() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('evidence/' || NEW.id, 0));
    IF is_held(NEW.id) THEN
        RAISE EXCEPTION 'candidate %: its evidence is held', NEW.id USING ERRCODE = 'PV024';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION hold_needs_evidence() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('evidence/' || NEW.candidate_id, 0));
    IF NOT EXISTS (SELECT FROM candidate WHERE id = NEW.candidate_id AND evidence_key <> '') THEN
        RAISE EXCEPTION 'candidate %: its evidence is gone', NEW.candidate_id USING ERRCODE = 'PV024';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_needs_evidence BEFORE INSERT ON evidence_hold
    FOR EACH ROW EXECUTE FUNCTION hold_needs_evidence();

-- retain asks who wants to see what is held, and sets a tombstone again that a restore took away.
GRANT SELECT ON person TO proviso_retain;
GRANT SELECT (removed_at) ON entry TO proviso_retain;
GRANT UPDATE (removed_at) ON entry TO proviso_retain;

-- A public record needs counts, no numbers by which somebody could be asked for (S31).
REVOKE SELECT (reference_no) ON entry FROM proviso_report;
