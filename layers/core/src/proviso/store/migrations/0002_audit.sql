-- The audit chain (S29): hash = sha256(previous || body), computed here and nowhere else. Login roles hold no right to
-- the two tables but reading; they append through the two functions, which run with the owner's rights.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'PV029';
END $$;

CREATE FUNCTION audit_link() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    head audit_head;
    said jsonb;
BEGIN
    SELECT * INTO head FROM audit_head WHERE chain = NEW.chain FOR UPDATE;
    IF NOT FOUND OR NEW.sequence <> head.sequence + 1 THEN
        RAISE EXCEPTION 'record % of chain % does not follow its head', NEW.sequence, NEW.chain USING ERRCODE = 'PV029';
    END IF;
    said := convert_from(NEW.body, 'UTF8')::jsonb;
    IF said ->> 'chain' IS DISTINCT FROM NEW.chain OR (said ->> 'sequence')::bigint IS DISTINCT FROM NEW.sequence THEN
        RAISE EXCEPTION 'the record''s body names another place in the chain' USING ERRCODE = 'PV029';
    END IF;
    NEW.previous := head.hash;
    NEW.hash := sha256(head.hash || NEW.body);
    NEW.at := clock_timestamp();
    UPDATE audit_head SET sequence = NEW.sequence, hash = NEW.hash WHERE chain = NEW.chain;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_link BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_link();
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON audit_event FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_head_keep BEFORE DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_head_keep_all BEFORE TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The next place in a chain, its head locked until the transaction ends.
CREATE FUNCTION audit_reserve(wanted text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    place bigint;
BEGIN
    SELECT sequence + 1 INTO place FROM audit_head WHERE chain = wanted FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_head (chain, sequence, hash)
        VALUES (wanted, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
        SELECT sequence + 1 INTO STRICT place FROM audit_head WHERE chain = wanted FOR UPDATE;
    END IF;
    RETURN place;
END $$;

-- Append a record at the place that audit_reserve gave.
CREATE FUNCTION audit_append(wanted text, place bigint, content bytea) RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    INSERT INTO audit_event (chain, sequence, body, previous, hash, at)
    VALUES (wanted, place, content, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), clock_timestamp())
$$;
