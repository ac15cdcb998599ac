-- Monitoring: false matches that rise (S26) and groups that are treated differently (S27) suspend a deployment, whoever
-- writes and whatever code runs. Tests are e-values: valid at every look, so they look whenever something has grown.
-- What they are and why they hold stands in domain/evalues.py; the two are tested to be equal.

-- Declared shares of passers-by (S27): [{dimension, group, low, high, source}], shares as decimals in text.
CREATE FUNCTION is_exposure(said jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT jsonb_typeof(said) = 'array' AND NOT EXISTS (
        SELECT FROM jsonb_array_elements(CASE WHEN jsonb_typeof(said) = 'array' THEN said ELSE '[]' END) AS one
        WHERE NOT COALESCE(
            (one ->> 'dimension', one ->> 'group') IN (
                ('sex', 'female'), ('sex', 'male'), ('age', 'under_18'), ('age', '18_34'), ('age', '35_54'),
                ('age', '55_plus'), ('ethnicity', 'asian'), ('ethnicity', 'black'), ('ethnicity', 'mixed'),
                ('ethnicity', 'white'), ('ethnicity', 'other')
            )
            AND one ->> 'low' ~ '^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$'
            AND one ->> 'high' ~ '^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$'
            AND (one ->> 'low')::numeric <= (one ->> 'high')::numeric
            AND btrim(one ->> 'source') <> '', false)
    ) AND (
        SELECT count(*) = count(DISTINCT (one ->> 'dimension', one ->> 'group'))
        FROM jsonb_array_elements(CASE WHEN jsonb_typeof(said) = 'array' THEN said ELSE '[]' END) AS one
    )
$$;
ALTER TABLE deployment
    ADD COLUMN exposure jsonb NOT NULL DEFAULT '[]' CONSTRAINT s27_exposure CHECK (is_exposure(exposure));

-- The values of a policy that a look works with, as a policy file may have them: a test that cannot be worked out, or that
-- would suspend nothing whatever happens, is none. A value that is missing (from before there were such) has its default.
CREATE FUNCTION is_measured_by(policy jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT bool_and(COALESCE(
        NOT policy ? one.name
        OR jsonb_typeof(policy -> one.name) = 'number' AND policy ->> one.name ~ '^[0-9]{1,7}$'
           AND (policy ->> one.name)::numeric BETWEEN one.low AND one.high, false))
    FROM (VALUES ('suspend_alpha_percent', 1, 10), ('false_hits_per_million_faces', 1, 1000000),
                 ('false_candidates_per_million_passages', 1, 1000000), ('groups_unrecorded_limit_percent', 0, 100))
        AS one (name, low, high)
$$;
ALTER TABLE deployment ADD CONSTRAINT s26_measured CHECK (is_measured_by(policy));

-- When a stop or a removal froze it: before its deadline nobody can be blamed for not having decided, after it somebody can.
ALTER TABLE candidate ADD COLUMN frozen_at timestamptz;
CREATE FUNCTION notes_when_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.frozen_at := CASE WHEN TG_OP = 'INSERT' THEN NULL
                          WHEN NEW.state = 'frozen' AND OLD.state <> 'frozen' THEN clock_timestamp()
                          ELSE OLD.frozen_at END;
    RETURN NEW;
END $$;
-- After candidate_changes, which refuses whoever writes the column: triggers go by their names.
CREATE TRIGGER notes_when_frozen BEFORE INSERT OR UPDATE ON candidate
    FOR EACH ROW EXECUTE FUNCTION notes_when_frozen();

-- Who operates: case, spaces and punctuation do not make another operator.
CREATE FUNCTION operator_of(grounds jsonb) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT COALESCE(NULLIF(regexp_replace(lower(grounds ->> 'operator_name'), '[[:space:][:punct:]]+', '', 'g'), ''),
                    grounds ->> 'operator_name')
$$;

CREATE TABLE suspension (
    id            text PRIMARY KEY CHECK (btrim(id) <> ''),
    deployment_id text NOT NULL REFERENCES deployment,
    operator      text NOT NULL,
    pipeline      text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('false_matches', 'false_candidates', 'group', 'not_testable')),
    figures       jsonb NOT NULL,
    suspended_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Was something running, that it ended? What comes to light after the end stops nothing, and still asks for a review.
    stopped       boolean NOT NULL DEFAULT false,
    audited_at    timestamptz,
    reviewed_by   text REFERENCES person,
    reviewed_at   timestamptz,
    finding       text,
    -- The logarithm of the e-value of groups at the review: from there another one has to grow (S27).
    reviewed_ln_e double precision,
    CONSTRAINT s26_once UNIQUE (deployment_id, kind),
    CONSTRAINT s26_reviewed_whole CHECK (
        (reviewed_by IS NULL) = (reviewed_at IS NULL) AND (reviewed_by IS NULL) = (finding IS NULL)
    ),
    CONSTRAINT s26_finding CHECK (btrim(finding) <> '')
);
CREATE INDEX suspension_of_operator ON suspension (operator, pipeline);
CREATE TRIGGER suspension_stays BEFORE DELETE ON suspension FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER suspension_stays_all BEFORE TRUNCATE ON suspension FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a deployment is measured against, worked out when it becomes active; and its faces, counted when it is over.
CREATE TABLE false_limit (
    deployment_id   text PRIMARY KEY REFERENCES deployment,
    face_limit      double precision NOT NULL CHECK (face_limit > 0),
    calibrated      double precision CHECK (calibrated > 0),
    passage_limit   double precision CHECK (passage_limit > 0),
    faces_a_passage double precision CHECK (faces_a_passage > 0),
    began_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    faces           bigint CHECK (faces >= 0),
    over_at         timestamptz
);
CREATE TRIGGER false_limit_stays BEFORE DELETE ON false_limit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER false_limit_stays_all BEFORE TRUNCATE ON false_limit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION false_limit_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 OR (TG_OP = 'UPDATE' AND (
        OLD.faces IS NOT NULL
        OR to_jsonb(NEW) - ARRAY['faces','over_at'] IS DISTINCT FROM to_jsonb(OLD) - ARRAY['faces','over_at']
    )) THEN
        RAISE EXCEPTION 'deployment %: what it is measured against is worked out once', NEW.deployment_id
            USING ERRCODE = 'PV026';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER false_limit_changes BEFORE INSERT OR UPDATE ON false_limit
    FOR EACH ROW EXECUTE FUNCTION false_limit_changes();

-- Groups of false candidates after their rows have gone (S28): each candidate once. 'any' counts those of whom anything
-- was said.
CREATE TABLE false_group (
    deployment_id text NOT NULL REFERENCES deployment,
    dimension     text NOT NULL CHECK (dimension IN ('sex', 'age', 'ethnicity', 'any')),
    value         text NOT NULL,
    counted       bigint NOT NULL CHECK (counted > 0),
    PRIMARY KEY (deployment_id, dimension, value)
);
CREATE TRIGGER false_group_stays BEFORE DELETE ON false_group FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER false_group_stays_all BEFORE TRUNCATE ON false_group FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION false_group_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 OR (TG_OP = 'UPDATE' AND (
        NEW.counted < OLD.counted OR to_jsonb(NEW) - 'counted' IS DISTINCT FROM to_jsonb(OLD) - 'counted'
    )) THEN
        RAISE EXCEPTION 'deployment %: groups are counted from what was said', NEW.deployment_id
            USING ERRCODE = 'PV028';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER false_group_grows BEFORE INSERT OR UPDATE ON false_group
    FOR EACH ROW EXECUTE FUNCTION false_group_grows();

-- The e-values, as logarithms -----------------------------------------------------------------------------------------

CREATE FUNCTION ln_mean_exp(terms double precision[]) RETURNS double precision LANGUAGE sql IMMUTABLE
SET search_path = public, pg_temp AS $$
    -- exp() of less than about -745 is an error here, not zero.
    SELECT max(top) + ln(avg(exp(GREATEST(term - top, -700::double precision))))
    FROM unnest(terms) AS t (term), (SELECT max(u) AS top FROM unnest(terms) AS v (u)) AS m
$$;

CREATE FUNCTION ln_e_false(f double precision, expected double precision) RETURNS double precision LANGUAGE sql IMMUTABLE
SET search_path = public, pg_temp AS $$
    SELECT ln_mean_exp(array_agg(f * ln_r - (exp(ln_r) - 1) * expected))
    FROM (SELECT ln(1.05::double precision) + i * (ln(20::double precision) - ln(1.05::double precision)) / 63 AS ln_r
          FROM generate_series(0, 63) AS g (i)) AS grid
$$;

-- Two ways to count in one: hits, so many of which count as one, and false candidates however often each was hit. The
-- first one sees the rate; the second cannot be blinded by one person who stands there for an hour.
CREATE FUNCTION ln_e_hits(f bigint, candidates bigint, together double precision, expected double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT ln_mean_exp(ARRAY[ln_e_false(f / together, expected / together), ln_e_false(candidates, expected)])
$$;

CREATE FUNCTION ln_e_group(x bigint, ns bigint[], highs double precision[]) RETURNS double precision LANGUAGE sql IMMUTABLE
SET search_path = public, pg_temp AS $$
    SELECT ln_mean_exp(array_agg(
        x * ln_r - COALESCE((SELECT sum(n * ln(1 + (exp(ln_r) - 1) * high)) FROM unnest(ns, highs) AS p (n, high)), 0)
    ))
    FROM (SELECT ln(1.25::double precision) + i * (ln(20::double precision) - ln(1.25::double precision)) / 31 AS ln_r
          FROM generate_series(0, 31) AS g (i)) AS grid
$$;

-- What is counted -----------------------------------------------------------------------------------------------------

-- Rejected; engaged and wrong, by the latest outcome; undecided when the deadline had passed; taken back by a person,
-- unless somebody found it right. What a stop or a removal froze before its deadline is nobody's fault, and not known.
CREATE FUNCTION is_false(c candidate) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    found text;
BEGIN
    IF c.state IN ('rejected', 'expired') THEN
        RETURN true;
    ELSIF c.state = 'raised' THEN
        RETURN clock_timestamp() >= c.decide_by;
    ELSIF c.state = 'frozen' THEN
        RETURN COALESCE(c.frozen_at >= c.decide_by, false);
    END IF;
    SELECT o.result INTO found FROM outcome o WHERE o.candidate_id = c.id ORDER BY o.recorded_at DESC, o.id DESC LIMIT 1;
    RETURN found IS NOT DISTINCT FROM 'engaged_wrong' OR (
        c.state = 'withdrawn' AND found IS DISTINCT FROM 'engaged_right'
        AND NOT EXISTS (SELECT FROM withdrawal w WHERE w.candidate_id = c.id AND w.withdrawn_by = 'entry:removed')
    );
END $$;

-- Hits are counted one by one, before a repetition is suppressed (S21); `squares` are theirs by candidate, since those of
-- one candidate come together and are no evidence of each other.
CREATE FUNCTION false_of(wanted text, OUT hits bigint, OUT squares bigint, OUT hit bigint, OUT candidates bigint)
LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT COALESCE(sum(n.seen), 0)::bigint, COALESCE(sum(n.seen * n.seen), 0)::bigint,
           count(*) FILTER (WHERE n.seen > 0), count(*)
    FROM candidate c CROSS JOIN LATERAL (SELECT count(*) AS seen FROM sighting s WHERE s.candidate_id = c.id) AS n
    WHERE c.deployment_id = wanted AND is_false(c)
$$;

-- What was said of a candidate: in each dimension the first that a reviewer stated. So it counts once, for one group.
CREATE FUNCTION said_of(said jsonb[], dimension text) RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = public, pg_temp AS $$
    SELECT one ->> dimension FROM unnest(said) AS one WHERE one ->> dimension <> 'not_stated'
    ORDER BY (one ->> 'recorded_at')::timestamptz, one ->> 'reviewer' LIMIT 1
$$;

CREATE FUNCTION groups_of(wanted text) RETURNS TABLE (dimension text, value text, counted bigint) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH said AS (
        SELECT g.candidate_id, array_agg(to_jsonb(g)) AS rows
        FROM demographics g JOIN candidate c ON c.id = g.candidate_id
        WHERE c.deployment_id = wanted AND is_false(c) GROUP BY g.candidate_id
    ), each AS (
        SELECT candidate_id, k.dimension, said_of(rows, k.dimension) AS value
        FROM said CROSS JOIN (VALUES ('sex'), ('age'), ('ethnicity')) AS k (dimension)
    )
    SELECT a.dimension, a.value, sum(a.counted)::bigint FROM (
        SELECT e.dimension, e.value, count(*) AS counted FROM each e WHERE e.value IS NOT NULL GROUP BY 1, 2
        UNION ALL
        SELECT 'any', 'stated', count(DISTINCT candidate_id) FROM each e WHERE e.value IS NOT NULL
        UNION ALL
        SELECT f.dimension, f.value, f.counted FROM false_group f WHERE f.deployment_id = wanted
    ) AS a GROUP BY 1, 2 HAVING sum(a.counted) > 0
$$;

-- Rows of demographics go together, candidate by candidate, and are counted on the way: once each, if it was false.
CREATE FUNCTION false_groups_are_counted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM gone JOIN demographics d USING (candidate_id)) THEN
        RAISE EXCEPTION 'demographics is append-only: what was said of one candidate goes together'
            USING ERRCODE = 'PV029';
    END IF;
    INSERT INTO false_group AS f (deployment_id, dimension, value, counted)
    SELECT said.deployment_id, k.dimension,
           CASE WHEN k.dimension = 'any' THEN 'stated' ELSE said_of(said.rows, k.dimension) END, count(*)
    FROM (
        SELECT c.deployment_id, g.candidate_id, array_agg(to_jsonb(g)) AS rows
        FROM gone g JOIN candidate c ON c.id = g.candidate_id WHERE is_false(c) GROUP BY 1, 2
    ) AS said CROSS JOIN (VALUES ('sex'), ('age'), ('ethnicity'), ('any')) AS k (dimension)
    WHERE CASE WHEN k.dimension = 'any'
               THEN COALESCE(said_of(said.rows, 'sex'), said_of(said.rows, 'age'), said_of(said.rows, 'ethnicity'))
               ELSE said_of(said.rows, k.dimension) END IS NOT NULL
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    ON CONFLICT (deployment_id, dimension, value) DO UPDATE SET counted = f.counted + EXCLUDED.counted;
    RETURN NULL;
END $$;
CREATE TRIGGER false_groups_are_counted AFTER DELETE ON demographics REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION false_groups_are_counted();

-- The limits ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION policy_number(policy jsonb, name text, otherwise double precision) RETURNS double precision LANGUAGE sql
IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT COALESCE((policy ->> name)::double precision, otherwise)
$$;

-- The smaller of the policy's limit and twice what was calibrated for a list of this size (its upper bound, S12). How
-- many faces a passage has is known where a trial was held at this place, and nowhere else.
CREATE FUNCTION limits_are_worked_out() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    listed  bigint := listed_in(NEW.build_id);
    face    double precision;
    passage double precision;
    trial   jsonb;
BEGIN
    -- As calibrated_floor takes them (0010): of the smallest list that is as long and was measured with as many frames, all
    -- numbers of frames up to the next one that was measured.
    WITH enough AS (
        SELECT list_size, frames_per_probe FROM calibration_point
        WHERE calibration_id = NEW.calibration_id AND list_size >= listed AND frames_per_probe >= NEW.burst_frames
        ORDER BY list_size, frames_per_probe LIMIT 1
    )
    SELECT NULLIF(max(p.face_fpir_high), 0),
           CASE WHEN bool_and(p.passage_fpir_high IS NOT NULL) THEN NULLIF(max(p.passage_fpir_high), 0) END
    INTO face, passage
    FROM calibration_point p JOIN enough e ON p.list_size = e.list_size AND p.frames_per_probe <= e.frames_per_probe
    WHERE p.calibration_id = NEW.calibration_id;
    SELECT to_jsonb(c) INTO trial FROM calibration c
    WHERE c.pipeline = NEW.pipeline AND c.kind = 'site_trial' AND c.site = NEW.place
    ORDER BY c.made_at DESC, c.id LIMIT 1;
    INSERT INTO false_limit (deployment_id, face_limit, calibrated, passage_limit, faces_a_passage)
    VALUES (
        NEW.id,
        LEAST(policy_number(NEW.policy, 'false_hits_per_million_faces', 1000) / 1e6, 2 * face),
        face,
        LEAST(policy_number(NEW.policy, 'false_candidates_per_million_passages', 1000) / 1e6, 2 * passage),
        -- By the trial's counts, which 0010 holds to what the deployment recorded; its own figure where there are none.
        COALESCE(
            NULLIF((trial #>> '{trial,faces_searched}')::double precision, 0)
                / NULLIF((trial #>> '{trial,non_mated_passages}')::double precision
                         - COALESCE((trial #>> '{trial,outside}')::double precision, 0), 0),
            NULLIF((trial #>> '{trial,faces_a_passage}')::double precision, 0))
    );
    RETURN NULL;
END $$;
CREATE TRIGGER limits_are_worked_out AFTER UPDATE ON deployment FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.state = 'active') EXECUTE FUNCTION limits_are_worked_out();

-- The figures ---------------------------------------------------------------------------------------------------------

-- Two series (S26), each over this deployment alone and over all of its operator and pipeline since the last suspension
-- for false matches: so neither a long good past hides a bad day, nor do many short days hide each other. A quarter of
-- the policy's alpha for each. What ran beside a suspended one stays in the pool, with all that it has, until it is over;
-- the suspended one does not. Else deployments side by side would each be judged alone after the first suspension.
CREATE FUNCTION false_series(wanted text) RETURNS TABLE (
    kind text, span text, deployments bigint, f bigint, candidates bigint, m double precision,
    expected double precision, together double precision, ln_e double precision, bar double precision
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH d AS (
        SELECT id, operator_of(grounds) AS operator, pipeline,
               ln(4 / (policy_number(policy, 'suspend_alpha_percent', 1) / 100)) AS bar
        FROM deployment WHERE id = wanted
    ), pool AS (
        SELECT o.id, o.policy FROM d CROSS JOIN deployment o LEFT JOIN false_limit l ON l.deployment_id = o.id
        WHERE o.id = d.id OR operator_of(o.grounds) = d.operator AND o.pipeline = d.pipeline
          AND l.began_at IS NOT NULL AND COALESCE(l.over_at, 'infinity') > COALESCE(
            (SELECT max(s.suspended_at) FROM suspension s
             WHERE s.operator = d.operator AND s.pipeline = d.pipeline AND s.kind IN ('false_matches', 'false_candidates')
               AND s.deployment_id <> d.id),
            '-infinity')
          AND NOT EXISTS (SELECT FROM suspension s
                          WHERE s.deployment_id = o.id AND s.kind IN ('false_matches', 'false_candidates'))
    ), each AS (
        SELECT p.id, n.hits, n.squares, n.hit, n.candidates, l.passage_limit, l.faces_a_passage,
               COALESCE(l.face_limit, policy_number(p.policy, 'false_hits_per_million_faces', 1000) / 1e6) AS face_limit,
               COALESCE(l.faces, (SELECT sum(s.searched) FROM searched_frame s WHERE s.deployment_id = p.id), 0)
                   ::double precision AS faces
        FROM pool p LEFT JOIN false_limit l ON l.deployment_id = p.id CROSS JOIN LATERAL false_of(p.id) AS n
    ), spans AS (
        SELECT 'deployment' AS span, e.* FROM each e WHERE e.id = wanted
        UNION ALL SELECT 'operator', e.* FROM each e
    ), sums AS (
        SELECT 'false_matches' AS kind, s.span, count(*) AS deployments, sum(hits)::bigint AS f, sum(hit)::bigint AS candidates,
               sum(faces) AS m,
               sum(faces * face_limit) AS expected,
               COALESCE(sum(squares)::double precision / NULLIF(sum(hits), 0)::double precision, 1) AS together
        FROM spans s GROUP BY s.span
        UNION ALL
        SELECT 'false_candidates', s.span, count(*), sum(candidates)::bigint, sum(candidates)::bigint, sum(faces / faces_a_passage),
               sum(faces / faces_a_passage * passage_limit), 1
        FROM spans s WHERE faces_a_passage IS NOT NULL AND passage_limit IS NOT NULL GROUP BY s.span
    )
    SELECT s.kind, s.span, s.deployments, s.f, s.candidates, s.m, s.expected, s.together,
           ln_e_hits(s.f, s.candidates, s.together, s.expected), d.bar
    FROM sums s, d ORDER BY s.kind, s.span
$$;

-- Groups (S27) of all deployments of the operator and pipeline, never reset.
CREATE FUNCTION group_series(wanted_operator text, wanted_pipeline text) RETURNS TABLE (
    dimension text, value text, x bigint, ns bigint[], highs double precision[], ln_e double precision
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH each AS (
        SELECT e.dimension, e."group" AS value, n.candidates AS n, e.high,
               LEAST(n.candidates, COALESCE((SELECT g.counted FROM groups_of(d.id) AS g
                                             WHERE g.dimension = e.dimension AND g.value = e."group"), 0)) AS x
        FROM deployment d CROSS JOIN LATERAL false_of(d.id) AS n
        CROSS JOIN LATERAL jsonb_to_recordset(d.exposure)
            AS e (dimension text, "group" text, high double precision)
        WHERE operator_of(d.grounds) = wanted_operator AND d.pipeline = wanted_pipeline AND d.started_at IS NOT NULL
    ), sums AS (
        SELECT e.dimension, e.value, sum(e.x)::bigint AS x, array_agg(e.n) AS ns, array_agg(e.high) AS highs
        FROM each e GROUP BY 1, 2
    )
    SELECT s.*, ln_e_group(s.x, s.ns, s.highs) FROM sums s ORDER BY 1, 2
$$;

-- The mean over all eleven groups; one without a declared share counts as 1.
CREATE FUNCTION ln_e_groups(wanted_operator text, wanted_pipeline text) RETURNS double precision LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT ln_mean_exp(array_agg(g.ln_e) || array_fill(0::double precision, ARRAY[11 - count(*)::integer]))
    FROM group_series(wanted_operator, wanted_pipeline) AS g
$$;

-- Of how many false candidates no group was recorded, of deployments that are over and were not judged by it before: in
-- the dimension in which the fewest are, among those with declared shares; where none is declared, of whom nothing was.
CREATE FUNCTION unrecorded(wanted text, OUT n bigint, OUT missing bigint) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    WITH d AS (SELECT id, operator_of(grounds) AS operator, pipeline FROM deployment WHERE id = wanted), pool AS (
        SELECT o.id, o.exposure FROM d CROSS JOIN deployment o LEFT JOIN false_limit l ON l.deployment_id = o.id
        WHERE o.id = d.id OR operator_of(o.grounds) = d.operator AND o.pipeline = d.pipeline AND l.over_at > COALESCE(
            (SELECT max(s.suspended_at) FROM suspension s
             WHERE s.operator = d.operator AND s.pipeline = d.pipeline AND s.kind = 'not_testable'), '-infinity')
    )
    SELECT COALESCE(sum(f.candidates), 0)::bigint, COALESCE(sum(GREATEST(f.candidates - (
        SELECT min(COALESCE((SELECT sum(g.counted) FROM groups_of(p.id) AS g WHERE g.dimension = k.dimension), 0))
        FROM (SELECT DISTINCT e ->> 'dimension' AS dimension FROM jsonb_array_elements(p.exposure) AS e
              UNION SELECT 'any' WHERE p.exposure = '[]') AS k
    ), 0)), 0)::bigint
    FROM pool p CROSS JOIN LATERAL false_of(p.id) AS f
$$;

-- What the e-value of groups must reach. What led to a review that somebody has recorded does not lead to another one:
-- from there it must grow by as much again. It is not reset: what it has learnt of a group stays in it.
CREATE FUNCTION group_bar(policy jsonb, wanted_operator text, wanted_pipeline text) RETURNS double precision LANGUAGE sql
STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT ln(1 / (policy_number(policy, 'suspend_alpha_percent', 1) / 100)) + GREATEST(0, COALESCE(
        (SELECT max(s.reviewed_ln_e) FROM suspension s
         WHERE s.operator = wanted_operator AND s.pipeline = wanted_pipeline AND s.kind = 'group'), 0))
$$;

-- All of it as people are shown it.
CREATE FUNCTION monitoring_of(wanted text) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT jsonb_build_object(
        'deployment_id', d.id,
        'operator', d.grounds ->> 'operator_name',
        'pipeline', d.pipeline,
        'alpha', policy_number(d.policy, 'suspend_alpha_percent', 1) / 100,
        'face_limit', COALESCE(l.face_limit, policy_number(d.policy, 'false_hits_per_million_faces', 1000) / 1e6),
        'calibrated', l.calibrated,
        'passage_limit', l.passage_limit,
        'faces_a_passage', l.faces_a_passage,
        'series', (SELECT jsonb_agg(to_jsonb(s)) FROM false_series(d.id) AS s),
        'groups', COALESCE((SELECT jsonb_agg(to_jsonb(g)) FROM group_series(operator_of(d.grounds), d.pipeline) AS g), '[]'),
        'ln_e_groups', ln_e_groups(operator_of(d.grounds), d.pipeline),
        'bar_groups', group_bar(d.policy, operator_of(d.grounds), d.pipeline),
        'false_candidates', u.n,
        'unrecorded', u.missing,
        'unrecorded_limit', policy_number(d.policy, 'groups_unrecorded_limit_percent', 50)
    )
    FROM deployment d LEFT JOIN false_limit l ON l.deployment_id = d.id CROSS JOIN LATERAL unrecorded(d.id) AS u
    WHERE d.id = wanted
$$;

-- Suspending ----------------------------------------------------------------------------------------------------------

-- The order of locks, here and in every store. Who holds one never waits for one that stands before it:
--   1. 'deployment/<id>', several by id. Shared by a search and by a confirmation; alone by whoever stops, ends, starts
--      or closes, and by what may be followed by a look: a rejection, a withdrawal, an outcome, a group.
--   2. the deployment's row
--   3. '<deployment>/<entry>' (match), then rows of candidates, by id
--   4. 'reviewer/<account>', 'evidence/<candidate>'
--   5. the head of its audit chain
--   6. 'monitoring/<operator>/<pipeline>', at the end of the transaction.
-- After the sixth nothing is waited for: a look only tries for what it needs in order to stop (stop_if_free). Who
-- authorises or starts holds 1 and 2 and takes 6 before its cameras and its chain's head: of a deployment that has not
-- begun, so nobody who looks waits for those. retain's look begins with 6. A removal of an entry takes 3 of several
-- deployments and never 6, and neither does a stop.

-- Whoever looks and whoever authorises or starts waits for one another: what one has written the other one sees.
CREATE FUNCTION monitored_alone(operator text, pipeline text) RETURNS void LANGUAGE sql VOLATILE
SET search_path = public, pg_temp AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('monitoring/' || operator || '/' || pipeline, 0))
$$;

CREATE FUNCTION stop_suspended(wanted text) RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    UPDATE deployment d SET state = 'stopped', finished_at = clock_timestamp(),
           finished_by = 'safeguard:' || CASE s.kind WHEN 'group' THEN 'S27' ELSE 'S26' END
    FROM (SELECT kind FROM suspension WHERE deployment_id = wanted AND stopped ORDER BY suspended_at, id LIMIT 1) AS s
    WHERE d.id = wanted AND is_live(d.state)
$$;

-- Stop it, unless somebody is in it at this moment: then the suspension stands, no search and no decision passes any more
-- (is_suspended), and retain, which can wait, does the rest.
CREATE FUNCTION stop_if_free(wanted text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('deployment/' || wanted, 0)) THEN
        RETURN;
    END IF;
    PERFORM 1 FROM deployment WHERE id = wanted FOR NO KEY UPDATE NOWAIT;
    PERFORM 1 FROM deployment_camera WHERE deployment_id = wanted FOR NO KEY UPDATE NOWAIT;
    PERFORM 1 FROM candidate WHERE deployment_id = wanted AND state = 'raised' FOR NO KEY UPDATE NOWAIT;
    PERFORM stop_suspended(wanted);
EXCEPTION WHEN lock_not_available THEN
    RETURN;
END $$;

CREATE FUNCTION suspend(d deployment, why text, said jsonb) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM suspension WHERE deployment_id = d.id AND kind = why) THEN
        RETURN;
    END IF;
    INSERT INTO suspension (id, deployment_id, operator, pipeline, kind, figures, stopped)
    VALUES (gen_random_uuid()::text, d.id, operator_of(d.grounds), d.pipeline, why, said,
            why <> 'not_testable' AND is_live(d.state));
    IF why <> 'not_testable' AND is_live(d.state) THEN
        PERFORM stop_if_free(d.id);
    END IF;
END $$;

-- Is it suspended, be it stopped already or not?
CREATE FUNCTION is_suspended(wanted text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM suspension WHERE deployment_id = wanted AND stopped)
$$;
CREATE FUNCTION nothing_is_decided() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF is_suspended((SELECT deployment_id FROM candidate WHERE id = NEW.candidate_id)) THEN
        RAISE EXCEPTION 'candidate %: its deployment is suspended', NEW.candidate_id USING ERRCODE = 'PV018';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER nothing_is_decided BEFORE INSERT ON review FOR EACH ROW EXECUTE FUNCTION nothing_is_decided();

-- Look at everything of one deployment. An e-value only grows when a false candidate comes or its group is recorded.
CREATE FUNCTION look_at(wanted text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    d     deployment;
    one   record;
    total double precision;
    bar   double precision;
BEGIN
    SELECT * INTO d FROM deployment WHERE id = wanted AND started_at IS NOT NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM monitored_alone(operator_of(d.grounds), d.pipeline);
    FOR one IN
        SELECT DISTINCT ON (s.kind) s.* FROM false_series(wanted) AS s WHERE s.ln_e >= s.bar ORDER BY s.kind, s.ln_e DESC
    LOOP
        SELECT * INTO d FROM deployment WHERE id = wanted;
        PERFORM suspend(d, one.kind, to_jsonb(one));
    END LOOP;
    SELECT * INTO d FROM deployment WHERE id = wanted;
    total := ln_e_groups(operator_of(d.grounds), d.pipeline);
    bar := group_bar(d.policy, operator_of(d.grounds), d.pipeline);
    IF total >= bar THEN
        PERFORM suspend(d, 'group', jsonb_build_object('ln_e', total, 'bar', bar, 'groups', (
            SELECT jsonb_agg(to_jsonb(g)) FROM group_series(operator_of(d.grounds), d.pipeline) AS g
        )));
    END IF;
    -- While it runs a group can still be recorded; and under five there is no share to speak of.
    IF d.state IN ('stopped', 'ended', 'closed') THEN
        SELECT * INTO one FROM unrecorded(wanted);
        IF one.n >= 5 AND one.missing * 100 > one.n * policy_number(d.policy, 'groups_unrecorded_limit_percent', 50) THEN
            PERFORM suspend(d, 'not_testable', to_jsonb(one));
        END IF;
    END IF;
END $$;

-- What could not be looked at, for retain. Several rows of one deployment, so that who writes one waits for nobody; and
-- no reference, which would lock that deployment's row.
CREATE TABLE look_due (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment_id text NOT NULL,
    since         timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- retain looks too, each minute: a deadline passes without anybody writing. It does so in a transaction for each.
CREATE FUNCTION to_look_at() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id FROM deployment WHERE state = 'active' OR id IN (SELECT deployment_id FROM look_due) ORDER BY id
$$;
CREATE FUNCTION look_again(wanted text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM look_due WHERE deployment_id = wanted;  -- before it looks: what comes now stays, and is looked at again
    PERFORM look_at(wanted);
END $$;

-- What is suspended, and somebody was in it then.
CREATE FUNCTION to_stop() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id FROM deployment WHERE is_live(state) AND is_suspended(id) ORDER BY id
$$;

-- At the end of the transaction, so that what is suspended is suspended with all that was done, and nothing in between
-- finds its deployment stopped half-way. What people did never depends on the test: where that fails, it stands, and
-- retain looks again and reports the fault.
CREATE FUNCTION look_is_due() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c candidate;
BEGIN
    IF TG_TABLE_NAME = 'candidate' THEN
        SELECT * INTO c FROM candidate WHERE id = NEW.id;
    ELSE
        SELECT * INTO c FROM candidate WHERE id = NEW.candidate_id;
    END IF;
    -- A removal changes no figure either: what it takes back was found wrong before, or is not counted.
    IF TG_TABLE_NAME = 'candidate' AND EXISTS (
        SELECT FROM withdrawal w WHERE w.candidate_id = c.id AND w.withdrawn_by = 'entry:removed'
    ) THEN
        RETURN NULL;
    END IF;
    BEGIN
        IF is_false(c) THEN
            PERFORM look_at(c.deployment_id);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'deployment %: could not be looked at (%)', c.deployment_id, SQLSTATE;
        INSERT INTO look_due (deployment_id) VALUES (c.deployment_id);
    END;
    RETURN NULL;
END $$;
-- Not where one expires or freezes: that changes no figure, since it is false from its deadline, or not at all. Hundreds may
-- do so in one transaction, and one who stops or removes would wait for a look at each.
CREATE CONSTRAINT TRIGGER look_is_due AFTER UPDATE ON candidate DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.state IN ('rejected', 'withdrawn'))
    EXECUTE FUNCTION look_is_due();
-- "Not recorded" is written of many at once, and changes none.
CREATE CONSTRAINT TRIGGER look_is_due AFTER INSERT ON outcome DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.result <> 'not_recorded') EXECUTE FUNCTION look_is_due();
CREATE CONSTRAINT TRIGGER look_is_due AFTER INSERT ON sighting DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION look_is_due();
CREATE CONSTRAINT TRIGGER look_is_due AFTER INSERT ON demographics DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION look_is_due();

-- A stop waits for no look, whatever that costs or says: it leaves word, and retain or the next authorisation looks.
CREATE FUNCTION look_at_it_later() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO look_due (deployment_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER look_at_it_later AFTER UPDATE ON deployment FOR EACH ROW
    WHEN (OLD.state = 'active' AND NEW.state IN ('stopped', 'ended')) EXECUTE FUNCTION look_at_it_later();

-- Its faces, when none can be added any more: millions of rows are not summed at each look of a later deployment.
CREATE FUNCTION faces_are_counted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE false_limit
    SET faces = (SELECT COALESCE(sum(searched), 0) FROM searched_frame WHERE deployment_id = NEW.id),
        over_at = clock_timestamp()
    WHERE deployment_id = NEW.id AND faces IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER faces_are_counted AFTER UPDATE ON deployment FOR EACH ROW
    WHEN (OLD.state = 'active' AND NEW.state IN ('stopped', 'ended')) EXECUTE FUNCTION faces_are_counted();

-- Until somebody has reviewed it, nothing of this operator and pipeline is authorised or started.
CREATE FUNCTION nothing_is_suspended() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM monitored_alone(operator_of(NEW.grounds), NEW.pipeline);
    -- What was stopped a moment ago and nobody has looked at yet. If it is suspended by this, all of it is undone below,
    -- and retain writes it.
    PERFORM look_at(d.id) FROM deployment d
    WHERE d.id IN (SELECT deployment_id FROM look_due)
      AND operator_of(d.grounds) = operator_of(NEW.grounds) AND d.pipeline = NEW.pipeline;
    IF EXISTS (SELECT FROM suspension s WHERE s.operator = operator_of(NEW.grounds) AND s.pipeline = NEW.pipeline
               AND s.reviewed_at IS NULL) THEN
        RAISE EXCEPTION 'deployment %: a suspension of this operator and pipeline waits for its review', NEW.id
            USING ERRCODE = 'PV026';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER nothing_is_suspended BEFORE UPDATE ON deployment FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.state IN ('authorised', 'warming', 'active'))
    EXECUTE FUNCTION nothing_is_suspended();

-- What was suspended stays as it was; it is reviewed once, by an authoriser who did not ask for that deployment nor
-- authorise it, where there is another.
CREATE FUNCTION suspension_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    once     CONSTANT text[] := ARRAY['audited_at','reviewed_by','reviewed_at','finding','reviewed_ln_e'];
    involved text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.reviewed_at IS NOT NULL OR NEW.audited_at IS NOT NULL THEN
            RAISE EXCEPTION 'deployment %: a suspension begins unreviewed', NEW.deployment_id USING ERRCODE = 'PV026';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - once IS DISTINCT FROM to_jsonb(OLD) - once
        OR OLD.audited_at IS NOT NULL AND NEW.audited_at IS DISTINCT FROM OLD.audited_at
        OR NEW.reviewed_ln_e IS DISTINCT FROM OLD.reviewed_ln_e
        OR OLD.reviewed_at IS NOT NULL AND (NEW.reviewed_by, NEW.reviewed_at, NEW.finding)
            IS DISTINCT FROM (OLD.reviewed_by, OLD.reviewed_at, OLD.finding) THEN
        RAISE EXCEPTION 'suspension %: can only be reviewed, once', OLD.id USING ERRCODE = 'PV026';
    END IF;
    IF OLD.reviewed_at IS NULL AND NEW.reviewed_at IS NOT NULL THEN
        SELECT ARRAY[requested_by, authorised_by] INTO involved FROM deployment WHERE id = OLD.deployment_id;
        IF NOT EXISTS (SELECT FROM person WHERE sub = NEW.reviewed_by AND 'authoriser' = ANY (roles))
            OR NEW.reviewed_by = ANY (involved) AND EXISTS (
                SELECT FROM person WHERE 'authoriser' = ANY (roles) AND sub <> ALL (involved)
            ) THEN
            RAISE EXCEPTION 'suspension %: another authoriser reviews it', OLD.id USING ERRCODE = 'PV126';
        END IF;
        NEW.reviewed_at := clock_timestamp();
        -- Of what is committed, and without the lock of those who look: one who looks at this moment has the lower bar.
        IF OLD.kind = 'group' THEN
            NEW.reviewed_ln_e := ln_e_groups(OLD.operator, OLD.pipeline);
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER suspension_changes BEFORE INSERT OR UPDATE ON suspension
    FOR EACH ROW EXECUTE FUNCTION suspension_changes();

-- Grants ------------------------------------------------------------------------------------------------------------

REVOKE ALL ON FUNCTION is_exposure(jsonb), is_measured_by(jsonb), operator_of(jsonb), ln_mean_exp(double precision[]),
    ln_e_false(double precision, double precision),
    ln_e_hits(bigint, bigint, double precision, double precision), ln_e_group(bigint, bigint[], double precision[]), is_false(candidate),
    false_of(text), said_of(jsonb[], text), groups_of(text), policy_number(jsonb, text, double precision),
    false_series(text), group_series(text, text), ln_e_groups(text, text), unrecorded(text), monitoring_of(text),
    group_bar(jsonb, text, text), monitored_alone(text, text), suspend(deployment, text, jsonb), look_at(text),
    is_suspended(text), stop_suspended(text), stop_if_free(text), to_look_at(), look_again(text), to_stop() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_exposure(jsonb), is_measured_by(jsonb) TO proviso_match, proviso_govern, proviso_review, proviso_retain;
GRANT SELECT (exposure) ON deployment TO proviso_match;

-- match and review: nothing passes once it is suspended.
GRANT EXECUTE ON FUNCTION is_suspended(text) TO proviso_match, proviso_review;

-- review: that a safeguard stopped it, for the page of its reviewers.
GRANT SELECT (finished_by) ON deployment TO proviso_review;

-- govern: shows, reviews. It writes no suspension.
GRANT EXECUTE ON FUNCTION monitoring_of(text), operator_of(jsonb) TO proviso_govern;
GRANT SELECT ON suspension TO proviso_govern;
GRANT UPDATE (reviewed_by, reviewed_at, finding) ON suspension TO proviso_govern;

-- retain: looks each minute, writes what came by itself into the audit, and has it told.
GRANT EXECUTE ON FUNCTION to_look_at(), look_again(text), to_stop(), stop_suspended(text) TO proviso_retain;
GRANT SELECT ON suspension TO proviso_retain;
GRANT UPDATE (audited_at) ON suspension TO proviso_retain;
GRANT SELECT (counted) ON false_group TO proviso_retain;

-- report: that there was one, and what it found; not who looked into it, nor what they wrote.
GRANT SELECT (id, deployment_id, kind, figures, suspended_at, stopped, reviewed_at) ON suspension TO proviso_report;
