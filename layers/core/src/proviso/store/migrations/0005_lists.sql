-- A list carries the rules it was made under, so that the closed list of categories (S06) and the cap (S08) hold for
-- whoever writes; and removing an entry also takes away what waits for a decision about it.

-- The columns begin empty: a list without rules takes nobody.
ALTER TABLE watchlist ADD COLUMN categories text[] NOT NULL DEFAULT '{}';
ALTER TABLE watchlist ADD COLUMN max_entries integer NOT NULL DEFAULT 0 CHECK (max_entries >= 0);

-- Once a statement, not once a row: counting for each of many rows would take the square of their number.
CREATE FUNCTION entry_fits_its_list() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    list record;
BEGIN
    FOR list IN
        SELECT id, max_entries FROM watchlist WHERE id IN (SELECT watchlist_id FROM added) ORDER BY id
        FOR NO KEY UPDATE
    LOOP
        -- The lock is held: this count sees what was committed while it waited.
        IF (SELECT count(*) FROM entry WHERE watchlist_id = list.id AND removed_at IS NULL) > list.max_entries THEN
            RAISE EXCEPTION 'watchlist %: is full', list.id USING ERRCODE = 'PV008';
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM added a JOIN watchlist w ON w.id = a.watchlist_id WHERE a.category <> ALL (w.categories)) THEN
        RAISE EXCEPTION 'a category is not on its watchlist''s closed list' USING ERRCODE = 'PV006';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entry_fits_its_list AFTER INSERT ON entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION entry_fits_its_list();

CREATE FUNCTION list_rules_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.policy, NEW.categories, NEW.max_entries) IS DISTINCT FROM (OLD.policy, OLD.categories, OLD.max_entries) THEN
        RAISE EXCEPTION 'watchlist %: keeps the rules it was made under', OLD.id USING ERRCODE = 'PV006';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER list_rules_stay BEFORE UPDATE ON watchlist FOR EACH ROW EXECUTE FUNCTION list_rules_stay();

-- Nobody decides any more about somebody who was taken off the list.
CREATE FUNCTION entry_removed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE candidate SET state = 'frozen' WHERE entry_id = NEW.id AND state = 'raised';
    RETURN NULL;
END $$;
CREATE TRIGGER entry_removed AFTER UPDATE OF removed_at ON entry FOR EACH ROW
    WHEN (OLD.removed_at IS NULL AND NEW.removed_at IS NOT NULL) EXECUTE FUNCTION entry_removed();

-- A search that began before the removal may raise its candidate after it: the row lock waits for one of the two.
CREATE FUNCTION candidate_of_listed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM entry WHERE id = NEW.entry_id AND removed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'candidate %: its entry was removed', NEW.id USING ERRCODE = 'PV006';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER candidate_of_listed BEFORE INSERT ON candidate FOR EACH ROW EXECUTE FUNCTION candidate_of_listed();
