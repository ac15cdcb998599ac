-- A list carries the rules it was made under, so that the closed list of categories (S06) and the cap (S08) hold for
-- whoever writes; and removing an entry also takes away what waits for a decision about it.

-- The columns begin empty: a list without rules takes nobody.
ALTER TABLE watchlist ADD COLUMN categories text[] NOT NULL DEFAULT '{}';
ALTER TABLE watchlist ADD COLUMN max_entries integer NOT NULL DEFAULT 0 CHECK (max_entries >= 0);

CREATE FUNCTION entry_fits_its_list() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    list watchlist%ROWTYPE;
BEGIN
    SELECT * INTO list FROM watchlist WHERE id = NEW.watchlist_id FOR NO KEY UPDATE;
    IF btrim(NEW.category) <> '' AND NEW.category <> ALL (list.categories) THEN  -- blank: its own constraint says so
        RAISE EXCEPTION 'watchlist %: the category is not on its closed list', NEW.watchlist_id USING ERRCODE = 'PV006';
    END IF;
    IF (SELECT count(*) FROM entry WHERE watchlist_id = NEW.watchlist_id AND removed_at IS NULL) >= list.max_entries THEN
        RAISE EXCEPTION 'watchlist %: is full', NEW.watchlist_id USING ERRCODE = 'PV008';
    END IF;
    RETURN NEW;
END $$;
-- Named to come after list_is_open: triggers run in the order of their names.
CREATE TRIGGER list_rules_hold BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION entry_fits_its_list();

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
