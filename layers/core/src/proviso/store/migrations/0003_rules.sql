-- What may change into what. These hold whoever writes: a function's login role, or a person at a prompt.
-- Error codes PVnnn carry the safeguard's number; their texts name identifiers and states only.

-- Deployments -----------------------------------------------------------------------------------------------------

CREATE FUNCTION deployment_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    -- Everything else is a term, and a term never changes: a column added later is a term until it is listed here.
    moving CONSTANT text[] := ARRAY['state','authorised_by','authorised_at','authorised_digest','started_at',
                                    'finished_at','finished_by','closed_at','closed_by'];
    step   text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'requested' OR NEW.authorised_by IS NOT NULL OR NEW.started_at IS NOT NULL THEN
            RAISE EXCEPTION 'deployment %: begins as requested', NEW.id USING ERRCODE = 'PV003';
        END IF;
        PERFORM 1 FROM watchlist WHERE id = NEW.watchlist_id AND erased_at IS NULL FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'deployment %: its watchlist is erased', NEW.id USING ERRCODE = 'PV023';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - moving IS DISTINCT FROM to_jsonb(OLD) - moving THEN
        RAISE EXCEPTION 'deployment %: its terms cannot be changed', OLD.id USING ERRCODE = 'PV003';
    END IF;
    step := OLD.state || '>' || NEW.state;
    IF NEW.state <> OLD.state AND step NOT IN (
        'requested>authorised', 'requested>stopped', 'authorised>active', 'authorised>stopped', 'authorised>ended',
        'active>stopped', 'active>ended', 'stopped>closed', 'ended>closed'
    ) THEN
        RAISE EXCEPTION 'deployment %: % cannot become %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'PV003';
    END IF;
    IF step <> 'requested>authorised'
        AND (NEW.authorised_by, NEW.authorised_at, NEW.authorised_digest)
            IS DISTINCT FROM (OLD.authorised_by, OLD.authorised_at, OLD.authorised_digest)
        OR (step <> 'authorised>active') AND NEW.started_at IS DISTINCT FROM OLD.started_at
        OR (step = 'authorised>active') AND NEW.started_at IS NULL
        OR (OLD.finished_at IS NOT NULL)
            AND (NEW.finished_at, NEW.finished_by) IS DISTINCT FROM (OLD.finished_at, OLD.finished_by)
        OR (OLD.closed_at IS NOT NULL)
            AND (NEW.closed_at, NEW.closed_by) IS DISTINCT FROM (OLD.closed_at, OLD.closed_by)
    THEN
        RAISE EXCEPTION 'deployment %: who did what when is written once', OLD.id USING ERRCODE = 'PV003';
    END IF;
    IF step = 'requested>authorised'
        AND NOT EXISTS (SELECT FROM person WHERE sub = NEW.authorised_by AND 'authoriser' = ANY (roles)) THEN
        RAISE EXCEPTION 'deployment %: authorised by somebody without that role', OLD.id USING ERRCODE = 'PV003';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deployment_changes BEFORE INSERT OR UPDATE ON deployment
    FOR EACH ROW EXECUTE FUNCTION deployment_changes();
CREATE TRIGGER deployment_stays BEFORE DELETE ON deployment FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What follows from a change of state, in the same statement: cameras are taken and given back (rule 2), and pending
-- candidates freeze (S04). Closing asks for a certificate (S23).
CREATE FUNCTION deployment_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.state = OLD.state THEN
        RETURN NULL;
    END IF;
    IF NEW.state = 'active' THEN
        UPDATE deployment_camera SET active = true WHERE deployment_id = NEW.id;
    ELSIF OLD.state = 'active' THEN
        UPDATE deployment_camera SET active = false WHERE deployment_id = NEW.id;
    END IF;
    IF NEW.state IN ('stopped', 'ended') THEN
        UPDATE candidate SET state = 'frozen' WHERE deployment_id = NEW.id AND state = 'raised';
    END IF;
    IF NEW.state = 'closed' AND NOT EXISTS (SELECT FROM certificate WHERE deployment_id = NEW.id) THEN
        RAISE EXCEPTION 'deployment %: closed without a certificate', NEW.id USING ERRCODE = 'PV023';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER deployment_changed AFTER UPDATE ON deployment FOR EACH ROW EXECUTE FUNCTION deployment_changed();

CREATE FUNCTION deployment_camera_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.active OR NOT EXISTS (
            SELECT FROM deployment WHERE id = NEW.deployment_id AND made_in = pg_current_xact_id()
        ) THEN
            RAISE EXCEPTION 'deployment %: cameras are named with the request', NEW.deployment_id USING ERRCODE = 'PV003';
        END IF;
    ELSIF TG_OP = 'DELETE' OR to_jsonb(NEW) - 'active' IS DISTINCT FROM to_jsonb(OLD) - 'active' THEN
        RAISE EXCEPTION 'deployment %: its terms cannot be changed', OLD.deployment_id USING ERRCODE = 'PV003';
    ELSIF NEW.active <> EXISTS (SELECT FROM deployment WHERE id = NEW.deployment_id AND state = 'active') THEN
        RAISE EXCEPTION 'deployment %: a camera follows its state', OLD.deployment_id USING ERRCODE = 'PV003';
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER deployment_camera_changes BEFORE INSERT OR UPDATE OR DELETE ON deployment_camera
    FOR EACH ROW EXECUTE FUNCTION deployment_camera_changes();

-- Watchlists, entries, builds ---------------------------------------------------------------------------------------

CREATE FUNCTION list_is_open() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM watchlist WHERE id = NEW.watchlist_id AND erased_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'watchlist % is erased or unknown', NEW.watchlist_id USING ERRCODE = 'PV023';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER list_is_open BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION list_is_open();
CREATE TRIGGER list_is_open BEFORE INSERT ON reference FOR EACH ROW EXECUTE FUNCTION list_is_open();
CREATE TRIGGER list_is_open BEFORE INSERT ON build FOR EACH ROW EXECUTE FUNCTION list_is_open();

CREATE FUNCTION watchlist_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.erased_at IS NOT NULL AND NEW.erased_at IS DISTINCT FROM OLD.erased_at THEN
        RAISE EXCEPTION 'watchlist % stays erased', OLD.id USING ERRCODE = 'PV023';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER watchlist_changes BEFORE UPDATE ON watchlist FOR EACH ROW EXECUTE FUNCTION watchlist_changes();

-- An entry is what was said when it was added. It can be removed, once and for good, and erased. Nothing else.
CREATE FUNCTION entry_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    personal CONSTANT text[] := ARRAY['label','reason','source','lawful_holding','image_date','consent_reference'];
BEGIN
    IF to_jsonb(NEW) - personal - ARRAY['removed_at','erased_at']
            IS DISTINCT FROM to_jsonb(OLD) - personal - ARRAY['removed_at','erased_at']
        OR (OLD.removed_at IS NOT NULL AND NEW.removed_at IS DISTINCT FROM OLD.removed_at)
        OR (OLD.erased_at IS NOT NULL AND NEW.erased_at IS DISTINCT FROM OLD.erased_at)
        OR (NEW.erased_at IS NULL
            AND (to_jsonb(NEW) - ARRAY['removed_at']) IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['removed_at']))
    THEN
        RAISE EXCEPTION 'entry %: can only be removed or erased', OLD.id USING ERRCODE = 'PV006';
    END IF;
    IF NEW.erased_at IS DISTINCT FROM OLD.erased_at AND EXISTS (
        SELECT FROM deployment WHERE watchlist_id = OLD.watchlist_id AND state IN ('requested', 'authorised', 'active')
    ) THEN
        RAISE EXCEPTION 'a live deployment uses this list' USING ERRCODE = 'PV023';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entry_changes BEFORE UPDATE ON entry FOR EACH ROW EXECUTE FUNCTION entry_changes();
CREATE TRIGGER entry_stays BEFORE DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER reference_stays_as_it_is BEFORE UPDATE ON reference FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER template_stays_as_it_is BEFORE UPDATE ON reference_template FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER build_stays_as_it_is BEFORE UPDATE OR DELETE ON build FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER build_reference_stays_as_it_is BEFORE UPDATE ON build_reference
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A build gets its references in the transaction that makes it, of its list and pipeline, and never again.
CREATE FUNCTION build_grows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM added a JOIN build b ON b.id = a.build_id JOIN reference r ON r.id = a.reference_id
        WHERE b.made_in <> pg_current_xact_id() OR r.watchlist_id <> b.watchlist_id OR r.pipeline <> b.pipeline
           OR r.entry_id <> a.entry_id
    ) THEN
        RAISE EXCEPTION 'a build is a snapshot of one list and pipeline, and never changes' USING ERRCODE = 'PV003';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER build_grows AFTER INSERT ON build_reference REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION build_grows();

-- References go only when no deployment that still needs them is left (S23 by way of the erasure, never otherwise).
CREATE FUNCTION list_shrinks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT watchlist_id FROM gone) g JOIN deployment d USING (watchlist_id)
        WHERE d.state IN ('requested', 'authorised', 'active')
    ) THEN
        RAISE EXCEPTION 'a live deployment uses this list' USING ERRCODE = 'PV023';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER list_shrinks AFTER DELETE ON reference REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION list_shrinks();
CREATE TRIGGER list_shrinks AFTER DELETE ON reference_template REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION list_shrinks();

CREATE FUNCTION build_shrinks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT build_id FROM gone) g JOIN build b ON b.id = g.build_id
        JOIN deployment d ON d.watchlist_id = b.watchlist_id
        WHERE d.state IN ('requested', 'authorised', 'active')
    ) THEN
        RAISE EXCEPTION 'a live deployment uses this list' USING ERRCODE = 'PV023';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER build_shrinks AFTER DELETE ON build_reference REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION build_shrinks();

-- Candidates and reviews ------------------------------------------------------------------------------------------

-- Who requested or authorised the deployment, or added to its list: none of them reviews (S17).
CREATE FUNCTION involved_in(wanted text) RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT requested_by FROM deployment WHERE id = wanted
    UNION SELECT authorised_by FROM deployment WHERE id = wanted AND authorised_by IS NOT NULL
    UNION SELECT e.added_by FROM entry e JOIN deployment d USING (watchlist_id) WHERE d.id = wanted
    UNION SELECT r.added_by FROM reference r JOIN deployment d USING (watchlist_id) WHERE d.id = wanted
$$;

CREATE FUNCTION review_is_due() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM candidate c JOIN deployment d ON d.id = c.deployment_id
        WHERE c.id = NEW.candidate_id AND c.state = 'raised' AND d.state = 'active'
          AND NEW.decided_at < c.decide_by AND clock_timestamp() < c.decide_by
          AND NEW.decided_at < d.ends_at AND clock_timestamp() < d.ends_at
    ) THEN
        RAISE EXCEPTION 'candidate %: no decision is open', NEW.candidate_id USING ERRCODE = 'PV018';
    END IF;
    IF EXISTS (
        SELECT FROM candidate c, involved_in(c.deployment_id) AS i (sub)
        WHERE c.id = NEW.candidate_id AND i.sub = NEW.reviewer
    ) OR NOT EXISTS (SELECT FROM person WHERE sub = NEW.reviewer AND 'reviewer' = ANY (roles)) THEN
        RAISE EXCEPTION 'candidate %: this person does not review it', NEW.candidate_id USING ERRCODE = 'PV017';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER review_is_due BEFORE INSERT ON review FOR EACH ROW EXECUTE FUNCTION review_is_due();
CREATE TRIGGER review_stays BEFORE UPDATE OR DELETE ON review FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION candidate_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    moving CONSTANT text[] := ARRAY['state','last_sighting_at','evidence_key','revision','sightings','decided_by',
                                    'decided_at','confirming_review','confirming_decision'];
    step   text;
    needed integer;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'raised' OR NEW.revision <> 1 OR NEW.sightings <> 1
            OR btrim(NEW.evidence_key) = '' OR btrim(NEW.evidence_digest) = ''
            OR NOT EXISTS (SELECT FROM deployment WHERE id = NEW.deployment_id AND state = 'active') THEN
            RAISE EXCEPTION 'candidate %: is raised with evidence, in an active deployment', NEW.id
                USING ERRCODE = 'PV016';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - moving IS DISTINCT FROM to_jsonb(OLD) - moving
        OR (NEW.evidence_key <> OLD.evidence_key AND NEW.evidence_key <> '') THEN
        RAISE EXCEPTION 'candidate %: is as it was first opened', OLD.id USING ERRCODE = 'PV021';
    END IF;
    IF NEW.state = OLD.state THEN
        IF (NEW.decided_by, NEW.decided_at, NEW.confirming_review)
            IS DISTINCT FROM (OLD.decided_by, OLD.decided_at, OLD.confirming_review) THEN
            RAISE EXCEPTION 'candidate %: is decided once', OLD.id USING ERRCODE = 'PV016';
        END IF;
        RETURN NEW;
    END IF;
    step := OLD.state || '>' || NEW.state;
    IF step NOT IN ('raised>confirmed', 'raised>rejected', 'raised>expired', 'raised>frozen') THEN
        RAISE EXCEPTION 'candidate %: % cannot become %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'PV016';
    END IF;
    IF step = 'raised>confirmed' THEN
        SELECT (policy ->> 'reviewers_required')::integer INTO needed
        FROM deployment WHERE id = OLD.deployment_id AND state = 'active' AND clock_timestamp() < ends_at;
        IF NOT FOUND OR clock_timestamp() >= OLD.decide_by OR (
            SELECT count(DISTINCT reviewer) FROM review WHERE candidate_id = OLD.id AND decision = 'confirm'
        ) < GREATEST(needed, 1) THEN
            RAISE EXCEPTION 'candidate %: nobody confirmed it in time', OLD.id USING ERRCODE = 'PV016';
        END IF;
    ELSIF step = 'raised>rejected' AND NOT EXISTS (
        SELECT FROM review WHERE candidate_id = OLD.id AND decision = 'reject' AND reviewer = NEW.decided_by
    ) THEN
        RAISE EXCEPTION 'candidate %: nobody rejected it', OLD.id USING ERRCODE = 'PV016';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER candidate_changes BEFORE INSERT OR UPDATE ON candidate
    FOR EACH ROW EXECUTE FUNCTION candidate_changes();
CREATE TRIGGER candidate_stays BEFORE DELETE ON candidate FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Retention -------------------------------------------------------------------------------------------------------

-- Is the list still needed by another deployment that is not closed?
CREATE FUNCTION list_used_by_another(list text, but text) RETURNS boolean LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM deployment WHERE watchlist_id = list AND id <> but AND state <> 'closed')
$$;

-- What is left of a deployment, by table. The list's own tables count only where nobody else still needs the list.
CREATE FUNCTION deployment_left(wanted text) RETURNS TABLE (store text, still bigint) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH own AS (
        SELECT watchlist_id AS list FROM deployment WHERE id = wanted AND NOT list_used_by_another(watchlist_id, wanted)
    )
    SELECT 'evidence pointers', count(*) FROM candidate WHERE deployment_id = wanted AND evidence_key <> ''
    UNION ALL SELECT 'runners-up', count(*) FROM runner_up r JOIN candidate c ON c.id = r.candidate_id
              WHERE c.deployment_id = wanted
    UNION ALL SELECT 'templates', (SELECT count(*) FROM reference_template WHERE watchlist_id = list) FROM own
    UNION ALL SELECT 'references', (SELECT count(*) FROM reference WHERE watchlist_id = list) FROM own
    UNION ALL SELECT 'references in builds', (SELECT count(*) FROM build_reference r JOIN build b ON b.id = r.build_id
              WHERE b.watchlist_id = list) FROM own
    UNION ALL SELECT 'entry particulars', (SELECT count(*) FROM entry WHERE watchlist_id = list AND erased_at IS NULL)
              FROM own
$$;

CREATE FUNCTION certificate_is_true() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM deployment_left(NEW.deployment_id) WHERE still <> 0)
        OR NOT EXISTS (SELECT FROM deployment WHERE id = NEW.deployment_id AND watchlist_id = NEW.watchlist_id
                       AND state IN ('stopped', 'ended', 'closed')) THEN
        RAISE EXCEPTION 'deployment %: not everything is deleted', NEW.deployment_id USING ERRCODE = 'PV023';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER certificate_is_true BEFORE INSERT ON certificate FOR EACH ROW EXECUTE FUNCTION certificate_is_true();
CREATE TRIGGER certificate_stays BEFORE UPDATE OR DELETE ON certificate FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The search's query once, for who may not read templates: fresh statistics, pages read, and how many it compared.
CREATE FUNCTION warm_build(wanted text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    compared bigint;
BEGIN
    ANALYZE reference_template;
    SELECT count(t.template <#> array_fill(0::real, ARRAY[128])::halfvec) INTO compared
    FROM build_reference b
    JOIN build ON build.id = b.build_id
    JOIN reference_template t ON t.reference_id = b.reference_id AND t.pipeline = build.pipeline
    JOIN entry e ON e.id = b.entry_id
    WHERE b.build_id = wanted AND e.removed_at IS NULL;
    RETURN compared;
END $$;
