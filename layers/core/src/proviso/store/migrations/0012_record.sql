-- The public record (S32): counts that can be published, what was published and whether it lies in the bucket, and
-- counts of groups of which no small cell can be worked out. report has no database any more: it serves files.

-- How many entries of each category were in a build. Counted when the build is made, since its content is erased at the
-- close; whoever writes it.
CREATE TABLE build_category (
    build_id text NOT NULL REFERENCES build,
    category text NOT NULL CHECK (btrim(category) <> ''),
    entries  integer NOT NULL CHECK (entries > 0),
    PRIMARY KEY (build_id, category)
);
INSERT INTO build_category
SELECT r.build_id, e.category, count(DISTINCT e.id) FROM build_reference r JOIN entry e ON e.id = r.entry_id GROUP BY 1, 2;

CREATE FUNCTION build_is_counted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO build_category
    SELECT r.build_id, e.category, count(DISTINCT e.id) FROM build_reference r JOIN entry e ON e.id = r.entry_id
    WHERE r.build_id = NEW.id GROUP BY 1, 2;
    RETURN NULL;
END $$;
-- At the commit: its references come after it, in the same transaction and never again (build_grows).
CREATE CONSTRAINT TRIGGER build_is_counted AFTER INSERT ON build DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION build_is_counted();
CREATE TRIGGER build_category_stays BEFORE UPDATE OR DELETE ON build_category
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What the audit says of frames that were never searched is looked for by its time.
CREATE INDEX audit_event_of_the_system ON audit_event (at) WHERE chain = 'system';

-- All that a record is made of beside the terms of its deployment: numbers, times, states and digests, of a deployment
-- that is closed. No name, account, reason, reference number, and no time of a single candidate.
CREATE FUNCTION record_counts(wanted text) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    d         deployment%ROWTYPE;
    b         build%ROWTYPE;
    suspended bigint;
    first_h   text;
    last_h    text;
BEGIN
    SELECT * INTO d FROM deployment WHERE id = wanted;
    IF NOT FOUND OR d.state <> 'closed' THEN
        RAISE EXCEPTION 'deployment %: is not closed, so there is no record of it', wanted USING ERRCODE = 'PV032';
    END IF;
    SELECT * INTO STRICT b FROM build WHERE id = d.build_id;
    -- Suspensions (S26, S27) are counted where their table is there.
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('public.suspension') AND attname = 'deployment_id') THEN
        EXECUTE 'SELECT count(*) FROM public.suspension WHERE deployment_id = $1' INTO suspended USING wanted;
    END IF;
    -- Frames that were not searched are counted by camera and hour; hours are those in which it ran.
    first_h := to_char(d.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24');
    last_h := to_char(LEAST(d.finished_at, d.ends_at, d.search_until) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24');
    RETURN jsonb_build_object(
        'cameras', (SELECT count(*) FROM deployment_camera WHERE deployment_id = wanted),
        'requested_rank', (SELECT rank FROM person WHERE sub = d.requested_by),
        'authorised_rank', (SELECT rank FROM person WHERE sub = d.authorised_by),
        'attested', (
            SELECT COALESCE(jsonb_object_agg(kind, jsonb_build_object('made_at', made_at, 'published_at', published_at)), '{}')
            FROM attestation WHERE deployment_id = wanted),
        'entries', b.entries,
        'references', b."references",
        'built_at', b.built_at,
        'categories', (
            SELECT jsonb_object_agg(category, entries) FROM build_category WHERE build_id = d.build_id),
        'calibration', (
            SELECT jsonb_build_object('id', c.id, 'kind', c.kind, 'made_at', c.made_at,
                                      'remark', COALESCE(to_jsonb(c) ->> 'remark', ''),
                                      'pack', to_jsonb(c) ->> 'pack')
            FROM calibration c WHERE c.id = d.calibration_id),
        'faces', (
            SELECT jsonb_build_object('frames', count(*), 'detected', COALESCE(sum(detected), 0),
                                      'refused', COALESCE(sum(refused), 0), 'searched', COALESCE(sum(searched), 0),
                                      'not_searched', COALESCE(sum(not_searched), 0))
            FROM searched_frame WHERE deployment_id = wanted),
        'frames', (
            SELECT COALESCE(jsonb_agg(jsonb_build_object('outcome', outcome, 'reason', reason, 'frames', frames)
                                      ORDER BY outcome, reason), '[]')
            FROM (SELECT outcome, reason, sum(frames) AS frames
                  FROM (SELECT DISTINCT ON (f ->> 'frames_digest') f ->> 'outcome' AS outcome, f ->> 'reason' AS reason,
                               (f ->> 'frames')::bigint AS frames, f ->> 'hour' AS hour, f ->> 'camera' AS camera
                        FROM audit_event a
                        CROSS JOIN LATERAL (SELECT convert_from(a.body, 'UTF8')::jsonb AS said) AS s
                        CROSS JOIN LATERAL (SELECT said -> 'details' AS f) AS t
                        WHERE a.chain = 'system' AND a.at >= d.started_at AND said ->> 'action' = 'frames_not_searched'
                        -- Folded twice after a crash, the same frames have the same digest and count once.
                        ORDER BY f ->> 'frames_digest') AS once
                  WHERE hour BETWEEN first_h AND last_h
                    AND camera IN (SELECT k.camera FROM deployment_camera k WHERE k.deployment_id = wanted)
                  GROUP BY outcome, reason) AS summed),
        'candidates', (
            SELECT COALESCE(jsonb_object_agg(state, n), '{}')
            FROM (SELECT state, count(*) AS n FROM candidate WHERE deployment_id = wanted GROUP BY state) AS s),
        -- Of what was confirmed, taken back or not: the outcome that stands.
        'outcomes', (
            SELECT COALESCE(jsonb_object_agg(result, n), '{}')
            FROM (SELECT COALESCE(o.result, 'open') AS result, count(*) AS n
                  FROM candidate c LEFT JOIN LATERAL (
                      SELECT result FROM outcome WHERE candidate_id = c.id ORDER BY recorded_at DESC, id DESC LIMIT 1
                  ) AS o ON true
                  WHERE c.deployment_id = wanted AND c.state IN ('confirmed', 'withdrawn') GROUP BY 1) AS s),
        'actions', (
            SELECT COALESCE(jsonb_object_agg(action, n), '{}')
            FROM (SELECT o.action, count(*) AS n
                  FROM candidate c CROSS JOIN LATERAL (
                      SELECT action FROM outcome WHERE candidate_id = c.id ORDER BY recorded_at DESC, id DESC LIMIT 1
                  ) AS o
                  WHERE c.deployment_id = wanted GROUP BY 1) AS s),
        'suspensions', suspended,
        'certificate', (
            SELECT jsonb_build_object('counts', c.counts, 'verified_at', c.verified_at, 'held', c.held,
                                      'backups_expire_at', c.backups_expire_at, 'backups_expired_at', k.verified_at)
            FROM certificate c LEFT JOIN backup_certificate k ON k.deployment_id = c.deployment_id
            WHERE c.deployment_id = wanted),
        'audit', (SELECT jsonb_build_object('sequence', sequence, 'hash', encode(hash, 'hex'))
                  FROM audit_head WHERE chain = wanted),
        'settled', NOT EXISTS (SELECT FROM candidate WHERE deployment_id = wanted AND NOT fate_is_known(id))
                   AND EXISTS (SELECT FROM backup_certificate WHERE deployment_id = wanted)
    );
END $$;

-- What was published. The bytes are kept here, so that they can be put again as they were when a function died between
-- the commit and the bucket. `put`: `taken` where the bucket holds other bytes under that number, since the database was
-- restored from before; then the next number is used.
CREATE TABLE published_record (
    deployment_id text NOT NULL REFERENCES deployment,
    revision      integer NOT NULL CHECK (revision >= 1),
    why           text NOT NULL CHECK (why IN ('closed', 'final', 'corrected', 'restored')),
    settled       boolean NOT NULL,
    body          bytea NOT NULL,
    digest        text NOT NULL CONSTRAINT s32_digest CHECK (digest = encode(sha256(body), 'hex')),
    published_at  timestamptz NOT NULL,
    put           text NOT NULL DEFAULT 'waiting' CHECK (put IN ('waiting', 'put', 'taken')),
    PRIMARY KEY (deployment_id, revision)
);
-- Each run of retain asks which closed deployments have something new.
CREATE INDEX candidate_of_deployment ON candidate (deployment_id);
CREATE INDEX published_record_waits ON published_record (deployment_id) WHERE put = 'waiting';

CREATE FUNCTION record_is_published() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    said jsonb := convert_from(NEW.body, 'UTF8')::jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF to_jsonb(NEW) - 'put' IS DISTINCT FROM to_jsonb(OLD) - 'put' OR OLD.put <> 'waiting' THEN
            RAISE EXCEPTION 'record % of deployment %: is published and stays as it is', OLD.revision, OLD.deployment_id
                USING ERRCODE = 'PV032';
        END IF;
        RETURN NEW;
    END IF;
    PERFORM 1 FROM deployment WHERE id = NEW.deployment_id AND state = 'closed' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'deployment %: is not closed, so no record of it is published', NEW.deployment_id
            USING ERRCODE = 'PV032';
    END IF;
    IF NEW.put <> 'waiting'
        OR NEW.revision <> (SELECT COALESCE(max(revision), 0) + 1 FROM published_record WHERE deployment_id = NEW.deployment_id)
        OR said ->> 'deployment' IS DISTINCT FROM NEW.deployment_id
        OR said -> 'revision' IS DISTINCT FROM to_jsonb(NEW.revision) THEN
        RAISE EXCEPTION 'deployment %: records follow one another, and each names itself', NEW.deployment_id
            USING ERRCODE = 'PV032';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER record_is_published BEFORE INSERT OR UPDATE ON published_record
    FOR EACH ROW EXECUTE FUNCTION record_is_published();
CREATE TRIGGER published_record_stays BEFORE DELETE ON published_record
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER published_record_stays_all BEFORE TRUNCATE ON published_record
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Groups (S27, S28, S32): one count a candidate and axis, whoever of its reviewers said it; where they differ, nothing is
-- taken for said. group_count counts statements, of which one candidate may have several. One axis at a time, so that
-- no table of two can be made.
CREATE TABLE group_margin (
    deployment_id text NOT NULL REFERENCES deployment,
    truth         text NOT NULL CHECK (truth IN ('true', 'false', 'other')),
    axis          text NOT NULL CHECK (axis IN ('sex', 'age', 'ethnicity')),
    value         text NOT NULL,
    counted       bigint NOT NULL CHECK (counted > 0),
    PRIMARY KEY (deployment_id, truth, axis, value)
);

CREATE FUNCTION candidates_are_counted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO group_margin AS m (deployment_id, truth, axis, value, counted)
    SELECT deployment_id, truth, axis, value, count(*)
    FROM (SELECT c.deployment_id, a.axis,
                 CASE WHEN c.state = 'rejected' OR o.result = 'engaged_wrong' THEN 'false'
                      WHEN o.result = 'engaged_right' THEN 'true' ELSE 'other' END AS truth,
                 CASE WHEN count(DISTINCT a.value) = 1 THEN min(a.value) ELSE 'not_stated' END AS value
          FROM gone g
          JOIN candidate c ON c.id = g.candidate_id
          LEFT JOIN LATERAL (SELECT result FROM outcome WHERE candidate_id = c.id
                             ORDER BY recorded_at DESC, id DESC LIMIT 1) AS o ON true
          CROSS JOIN LATERAL (VALUES ('sex', g.sex), ('age', g.age), ('ethnicity', g.ethnicity)) AS a (axis, value)
          -- Deleted in several statements, a candidate would count several times: it counts with its last row.
          WHERE NOT EXISTS (SELECT FROM demographics left_over WHERE left_over.candidate_id = g.candidate_id)
          GROUP BY c.id, c.deployment_id, c.state, o.result, a.axis) AS candidates
    WHERE value <> 'not_stated'
    GROUP BY deployment_id, truth, axis, value
    ON CONFLICT (deployment_id, truth, axis, value) DO UPDATE SET counted = m.counted + EXCLUDED.counted;
    RETURN NULL;
END $$;
CREATE TRIGGER candidates_are_counted AFTER DELETE ON demographics REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION candidates_are_counted();

CREATE FUNCTION group_margin_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 OR (TG_OP = 'UPDATE' AND (NEW.counted <= OLD.counted
            OR to_jsonb(NEW) - 'counted' IS DISTINCT FROM to_jsonb(OLD) - 'counted')) THEN
        RAISE EXCEPTION 'deployment %: groups are counted from what was said', NEW.deployment_id
            USING ERRCODE = 'PV028';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER group_margin_grows BEFORE INSERT OR UPDATE ON group_margin
    FOR EACH ROW EXECUTE FUNCTION group_margin_grows();
CREATE TRIGGER group_margin_stays BEFORE DELETE ON group_margin FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER group_margin_stays_all BEFORE TRUNCATE ON group_margin
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A batch: consecutive deployments of one operator, of which tables are published once. Each deployment is in at most one
-- (its primary key), so no table can be subtracted from another.
CREATE TABLE group_batch (
    operator     text NOT NULL CHECK (btrim(operator) <> ''),
    number       integer NOT NULL CHECK (number >= 1),
    body         bytea NOT NULL,
    digest       text NOT NULL CONSTRAINT s32_digest CHECK (digest = encode(sha256(body), 'hex')),
    published_at timestamptz NOT NULL,
    put          text NOT NULL DEFAULT 'waiting' CHECK (put IN ('waiting', 'put', 'taken')),
    PRIMARY KEY (operator, number)
);
CREATE TABLE group_batch_member (
    deployment_id text PRIMARY KEY REFERENCES deployment,
    operator      text NOT NULL,
    number        integer NOT NULL,
    FOREIGN KEY (operator, number) REFERENCES group_batch
);

CREATE FUNCTION batch_is_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.put <> 'waiting' THEN
            RAISE EXCEPTION 'batch %: is put after it was written', NEW.number USING ERRCODE = 'PV032';
        END IF;
    ELSIF to_jsonb(NEW) - 'put' IS DISTINCT FROM to_jsonb(OLD) - 'put' OR OLD.put <> 'waiting' THEN
        RAISE EXCEPTION 'batch %: is published and stays as it is', OLD.number USING ERRCODE = 'PV032';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER batch_is_published BEFORE INSERT OR UPDATE ON group_batch
    FOR EACH ROW EXECUTE FUNCTION batch_is_published();
CREATE TRIGGER group_batch_stays BEFORE DELETE ON group_batch FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER group_batch_stays_all BEFORE TRUNCATE ON group_batch FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER group_batch_member_stays BEFORE UPDATE OR DELETE ON group_batch_member
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER group_batch_member_stays_all BEFORE TRUNCATE ON group_batch_member
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The sums over what is to become a batch: never over what is in one already, and never over a few candidates.
CREATE FUNCTION batch_margins(wanted text[]) RETURNS TABLE (axis text, value text, truth text, counted bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM group_batch_member m WHERE m.deployment_id = ANY (wanted)) THEN
        RAISE EXCEPTION 'a deployment is in one batch and no other' USING ERRCODE = 'PV032';
    END IF;
    IF (SELECT count(*) FROM candidate c WHERE c.deployment_id = ANY (wanted)) < 40 THEN
        RAISE EXCEPTION 'too few candidates for tables of groups' USING ERRCODE = 'PV032';
    END IF;
    RETURN QUERY
    SELECT m.axis, m.value, m.truth, sum(m.counted)::bigint FROM group_margin m
    WHERE m.deployment_id = ANY (wanted) GROUP BY 1, 2, 3;
END $$;

-- Grants ------------------------------------------------------------------------------------------------------------

REVOKE ALL ON FUNCTION record_counts(text), batch_margins(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION record_counts(text), batch_margins(text[]) TO proviso_retain;
GRANT SELECT, INSERT ON published_record, group_batch, group_batch_member TO proviso_retain;
GRANT SELECT (counted) ON group_margin TO proviso_retain;
GRANT UPDATE (put) ON published_record, group_batch TO proviso_retain;

-- report answers anybody, unasked who they are. It serves what was published from its bucket, and needs no database: what
-- a fault in it could read is public. Its login role stays, since a cluster's roles outlive a schema, and may do nothing.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM proviso_report;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM proviso_report;
