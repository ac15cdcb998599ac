-- Fusion: what is compared is one template a person, the mean of their references; and how many frames a probe may be
-- made from (rule 10).

-- 1: single frames only. More: an upload may hold so many, all of them taken within a second.
ALTER TABLE deployment
    ADD COLUMN burst_frames smallint NOT NULL DEFAULT 1 CONSTRAINT burst_is_short CHECK (burst_frames BETWEEN 1 AND 5);

-- One template an entry of a build: the mean of its references' templates at length one. So a person with more pictures
-- is not reached more often by strangers: a list counts people. With one reference it is that reference's template.
CREATE TABLE build_template (
    build_id     text NOT NULL,
    entry_id     text NOT NULL REFERENCES entry,
    watchlist_id text NOT NULL,
    pipeline     text NOT NULL,
    fused        integer NOT NULL CHECK (fused > 0),
    template     halfvec(128) NOT NULL,
    PRIMARY KEY (build_id, entry_id),
    FOREIGN KEY (build_id, watchlist_id, pipeline) REFERENCES build (id, watchlist_id, pipeline)
);
ALTER TABLE build_template ALTER COLUMN template SET STORAGE PLAIN;
CREATE INDEX fused_template_of_list ON build_template (watchlist_id);

-- How alike the reference is that agrees least with the mean of its entry's others; 1 where it is alone.
CREATE FUNCTION least_alike(templates halfvec[]) RETURNS double precision LANGUAGE sql IMMUTABLE
SET search_path = public, pg_temp AS $$
    WITH one AS (SELECT t::vector AS v FROM unnest(templates) t), together AS (SELECT sum(v) AS total FROM one)
    SELECT CASE WHEN cardinality(templates) < 2 THEN 1
                ELSE min(-(one.v <#> l2_normalize(together.total - one.v))) END
    FROM one, together
$$;

-- Pictures of different people under one entry: their mean would be nobody, and search for nobody or for anybody. Below 0.2
-- lie 2 in 1,000 of people's own pictures on LFW (nearly all of them wrong labels) and 97 in 100 of strangers'.
CREATE FUNCTION are_of_one_person(templates halfvec[]) RETURNS boolean LANGUAGE sql IMMUTABLE
SET search_path = public, pg_temp AS $$
    SELECT least_alike(templates) >= 0.2
$$;

CREATE FUNCTION entries_that_differ(wanted_list text, wanted_pipeline text) RETURNS SETOF text LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.reference_no FROM entry e JOIN reference r ON r.entry_id = e.id
    JOIN reference_template t ON t.reference_id = r.id
    WHERE e.watchlist_id = wanted_list AND t.pipeline = wanted_pipeline AND e.removed_at IS NULL
    GROUP BY e.id, e.reference_no
    HAVING count(*) > 1 AND NOT are_of_one_person(array_agg(t.template)) ORDER BY 1
$$;

CREATE FUNCTION fused_template(wanted_build text, wanted_entry text, OUT fused bigint, OUT template halfvec)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    templates halfvec[];
BEGIN
    SELECT count(*), l2_normalize(avg(t.template)), array_agg(t.template) INTO fused, template, templates
    FROM build_reference r JOIN build b ON b.id = r.build_id
    JOIN reference_template t ON t.reference_id = r.reference_id AND t.pipeline = b.pipeline
    WHERE r.build_id = wanted_build AND r.entry_id = wanted_entry;
    IF fused > 1 AND NOT are_of_one_person(templates) THEN
        RAISE EXCEPTION 'entry %: its references are not of one person', wanted_entry USING ERRCODE = 'PV203';
    END IF;
END $$;

-- A build gets its references, and the templates that they come to, in the transaction that makes it, and never again.
CREATE OR REPLACE FUNCTION build_grows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM added a JOIN build b ON b.id = a.build_id JOIN reference r ON r.id = a.reference_id
        WHERE b.made_in <> pg_current_xact_id() OR r.watchlist_id <> b.watchlist_id OR r.pipeline <> b.pipeline
           OR r.entry_id <> a.entry_id
    ) THEN
        RAISE EXCEPTION 'a build is a snapshot of one list and pipeline, and never changes' USING ERRCODE = 'PV003';
    END IF;
    IF EXISTS (SELECT FROM added a JOIN entry e ON e.id = a.entry_id WHERE e.under_18 AND e.approved_by IS NULL) THEN
        RAISE EXCEPTION 'nobody under 18 is in a build before a second person approved it' USING ERRCODE = 'PV009';
    END IF;
    INSERT INTO build_template (build_id, entry_id, watchlist_id, pipeline, fused, template)
    SELECT b.id, a.entry_id, b.watchlist_id, b.pipeline, f.fused, f.template
    FROM (SELECT DISTINCT build_id, entry_id FROM added) a JOIN build b ON b.id = a.build_id
    CROSS JOIN LATERAL fused_template(a.build_id, a.entry_id) f
    WHERE f.fused > 0
    ON CONFLICT (build_id, entry_id) DO UPDATE SET fused = excluded.fused, template = excluded.template;
    RETURN NULL;
END $$;

CREATE FUNCTION fused_template_stays() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF pg_trigger_depth() < 2 OR NOT EXISTS (
        SELECT FROM build WHERE id = NEW.build_id AND made_in = pg_current_xact_id()
    ) THEN
        RAISE EXCEPTION 'a build is a snapshot of one list and pipeline, and never changes' USING ERRCODE = 'PV003';
    END IF;
    RETURN NEW;
END $$;

-- Builds from before have none: nothing computes their pipeline any more, so nothing could search them. Lists are enrolled
-- and built again.
CREATE TRIGGER fused_template_stays BEFORE INSERT OR UPDATE ON build_template
    FOR EACH ROW EXECUTE FUNCTION fused_template_stays();
CREATE TRIGGER list_shrinks AFTER DELETE ON build_template REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION list_shrinks();

-- A hit is an entry's: which of its pictures is most alike is not known any more, and nobody needs it.
ALTER TABLE runner_up DROP COLUMN reference_id;

-- The search's query once, for who may not read templates: fresh statistics, pages read, and how many it compared.
CREATE OR REPLACE FUNCTION warm_build(wanted text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    compared bigint;
BEGIN
    ANALYZE build_template;
    SELECT count(t.template <#> array_fill(0::real, ARRAY[128])::halfvec) INTO compared
    FROM build_template t JOIN build b ON b.id = t.build_id AND b.pipeline = t.pipeline
    JOIN entry e ON e.id = t.entry_id
    WHERE t.build_id = wanted AND e.removed_at IS NULL;
    RETURN compared;
END $$;

CREATE OR REPLACE FUNCTION deployment_left(wanted text) RETURNS TABLE (store text, still bigint) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH own AS (
        SELECT watchlist_id AS list FROM deployment WHERE id = wanted AND NOT list_used_by_another(watchlist_id, wanted)
    )
    SELECT 'evidence pointers without a hold', count(*) FROM candidate
    WHERE deployment_id = wanted AND evidence_key <> '' AND NOT is_held(id)
    UNION ALL SELECT 'runners-up', count(*) FROM runner_up r JOIN candidate c ON c.id = r.candidate_id
              WHERE c.deployment_id = wanted
    UNION ALL SELECT 'reasons of reviews', count(*) FROM review r JOIN candidate c ON c.id = r.candidate_id
              WHERE c.deployment_id = wanted AND r.reason <> ''
    UNION ALL SELECT 'reasons of withdrawals', count(*) FROM withdrawal w JOIN candidate c ON c.id = w.candidate_id
              WHERE c.deployment_id = wanted AND w.reason <> ''
    UNION ALL SELECT 'reasons of tests', count(*) FROM test_candidate WHERE deployment_id = wanted AND reason <> ''
    UNION ALL SELECT 'templates', (SELECT count(*) FROM reference_template WHERE watchlist_id = list) FROM own
    UNION ALL SELECT 'templates in builds', (SELECT count(*) FROM build_template WHERE watchlist_id = list) FROM own
    UNION ALL SELECT 'references', (SELECT count(*) FROM reference WHERE watchlist_id = list) FROM own
    UNION ALL SELECT 'references in builds', (SELECT count(*) FROM build_reference r JOIN build b ON b.id = r.build_id
              WHERE b.watchlist_id = list) FROM own
    UNION ALL SELECT 'entry particulars', (SELECT count(*) FROM entry WHERE watchlist_id = list AND erased_at IS NULL)
              FROM own
$$;

-- match reads what it compares, and the single references no longer.
REVOKE ALL ON FUNCTION fused_template(text, text), entries_that_differ(text, text), least_alike(halfvec[]),
    are_of_one_person(halfvec[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION entries_that_differ(text, text) TO proviso_govern;
REVOKE SELECT ON reference_template, build_reference FROM proviso_match;
GRANT SELECT ON build_template TO proviso_match;
GRANT SELECT (build_id, entry_id, watchlist_id), DELETE ON build_template TO proviso_retain;
GRANT SELECT (burst_frames) ON deployment TO proviso_match, proviso_review, proviso_retain, proviso_report;
