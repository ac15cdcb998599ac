-- Calibrations that are really there: what comes with a model pack, and what a trial at a site measured (S08, S12, S13,
-- S27). The first is written by the owner of the tables alone, at the migration; the second by govern, and looked at here
-- once more: neither its place, nor its pipeline, nor its counts are taken on anybody's word.

ALTER TABLE calibration
    ADD COLUMN pack          text NOT NULL DEFAULT '',
    ADD COLUMN data          text NOT NULL DEFAULT '',
    ADD COLUMN remark        text NOT NULL DEFAULT '',
    ADD COLUMN fpir_wanted   double precision CHECK (fpir_wanted > 0 AND fpir_wanted < 1),
    ADD COLUMN recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN made_in       xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ADD COLUMN deployment_id text UNIQUE REFERENCES deployment,
    ADD COLUMN trial         jsonb;
COMMENT ON COLUMN calibration.deployment_id IS 'the deployment that was the trial; a laboratory has none';

-- Probes of several frames have floors of their own (rule 10).
ALTER TABLE calibration_point
    ADD COLUMN frames_per_probe smallint NOT NULL DEFAULT 1 CHECK (frames_per_probe BETWEEN 1 AND 5),
    ADD COLUMN worst_list       text NOT NULL DEFAULT '',
    ADD COLUMN worst_people     integer CHECK (worst_people >= 0),
    ADD COLUMN measured_floor   numeric CHECK (measured_floor BETWEEN -1 AND threshold_floor),
    ADD CONSTRAINT s12_beside_the_floor CHECK ((worst_people IS NULL) = (measured_floor IS NULL)),
    DROP CONSTRAINT calibration_point_pkey,
    ADD PRIMARY KEY (calibration_id, list_size, frames_per_probe);
COMMENT ON COLUMN calibration_point.measured_floor IS
    'the floor if measured lists alone counted, where a group of worst_people, too few, set it: shown, never used';

-- A stranger reaches `similarity` once in so many searches. NULL: nobody did, so it is rarer than once in once_in_low.
CREATE TABLE calibration_stranger (
    calibration_id   text NOT NULL REFERENCES calibration,
    list_size        integer NOT NULL CHECK (list_size > 0),
    frames_per_probe smallint NOT NULL CHECK (frames_per_probe BETWEEN 1 AND 5),
    similarity       numeric NOT NULL CHECK (similarity BETWEEN -1 AND 1),
    searches         integer NOT NULL CHECK (searches > 0),
    reached          integer NOT NULL CHECK (reached BETWEEN 0 AND searches),
    once_in_low      integer NOT NULL CHECK (once_in_low >= 1),
    once_in_high     integer CHECK (once_in_high >= once_in_low),
    PRIMARY KEY (calibration_id, list_size, frames_per_probe, similarity)
);

-- How groups fare at a floor (S27). fpir_low NULL: not measured, and fpir_high is only what can be ruled out.
CREATE TABLE calibration_group (
    calibration_id   text NOT NULL REFERENCES calibration,
    list_size        integer NOT NULL CHECK (list_size > 0),
    frames_per_probe smallint NOT NULL CHECK (frames_per_probe BETWEEN 1 AND 5),
    "group"          text NOT NULL CHECK (btrim("group") <> ''),
    people           integer NOT NULL CHECK (people >= 0),
    fpir_low         double precision CHECK (fpir_low BETWEEN 0 AND 1),
    fpir_high        double precision CHECK (fpir_high BETWEEN 0 AND 1),
    lower_limit      numeric CHECK (lower_limit BETWEEN -1 AND 1),
    remark           text NOT NULL DEFAULT '',
    PRIMARY KEY (calibration_id, list_size, frames_per_probe, "group"),
    CONSTRAINT s27_intervals CHECK (fpir_low <= fpir_high),
    CONSTRAINT s27_not_measured_says_why CHECK (fpir_low IS NOT NULL OR btrim(remark) <> '')
);
CREATE TRIGGER calibration_stranger_stays BEFORE UPDATE OR DELETE ON calibration_stranger
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER calibration_group_stays BEFORE UPDATE OR DELETE ON calibration_group
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Who writes which ------------------------------------------------------------------------------------------------

-- Runs as who writes, not as the owner: that is the question it asks.
CREATE FUNCTION laboratory_comes_with_a_pack() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.kind = 'laboratory' OR NEW.recorded_by = 'pack')
        AND current_user <> (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'public.calibration'::regclass) THEN
        RAISE EXCEPTION 'calibration %: one from a laboratory comes with its pack, at a migration', NEW.id
            USING ERRCODE = 'PV013';
    END IF;
    IF NEW.kind <> 'laboratory' AND NEW.recorded_by = 'pack' THEN
        RAISE EXCEPTION 'calibration %: a pack comes with no site trial', NEW.id USING ERRCODE = 'PV013';
    END IF;
    -- A pack's own file is dated where it was made. A server whose clock is behind must still get its schema.
    IF NEW.made_at > clock_timestamp() + interval '1 minute' THEN
        IF NEW.kind = 'laboratory' AND NEW.recorded_by = 'pack' THEN
            RAISE WARNING 'calibration %: is dated ahead of this server, look at its clock', NEW.id;
        ELSE
            RAISE EXCEPTION 'calibration %: is dated ahead', NEW.id USING ERRCODE = 'PV013';
        END IF;
    END IF;
    NEW.made_in := pg_current_xact_id();
    RETURN NEW;
END $$;
CREATE TRIGGER a_laboratory_comes_with_a_pack BEFORE INSERT ON calibration
    FOR EACH ROW EXECUTE FUNCTION laboratory_comes_with_a_pack();

-- Was everybody before its cameras a volunteer, and is it over? Only such a deployment is a trial, and only of such a
-- one may be read when which reference number was seen.
CREATE FUNCTION was_a_trial(d deployment) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT d.state IN ('stopped', 'ended', 'closed') AND d.started_at IS NOT NULL
       AND COALESCE((d.policy ->> 'consent_required')::boolean, false)
       AND COALESCE((d.policy ->> 'calibration_required')::boolean, false)
$$;

CREATE FUNCTION trial_sightings(wanted text) RETURNS TABLE (camera text, captured_at timestamptz, reference_no text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.camera, s.captured_at, e.reference_no
    FROM deployment d JOIN searched_frame f ON f.deployment_id = d.id JOIN sighting s USING (frame_key)
    JOIN candidate c ON c.id = s.candidate_id JOIN entry e ON e.id = c.entry_id
    WHERE d.id = wanted AND was_a_trial(d) ORDER BY s.captured_at, f.camera, e.reference_no
$$;

CREATE FUNCTION trial_frames(wanted text) RETURNS TABLE (camera text, captured_at timestamptz, faces integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.camera, f.captured_at, f.searched FROM deployment d JOIN searched_frame f ON f.deployment_id = d.id
    WHERE d.id = wanted AND was_a_trial(d) AND f.searched > 0 ORDER BY f.captured_at, f.camera
$$;

-- How many people were on its list. The close deletes what its build held, and the entries' numbers stay.
CREATE FUNCTION trial_listed(d deployment) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT CASE WHEN listed_in(b.id) > 0 THEN listed_in(b.id)
                ELSE LEAST(b.entries, (SELECT count(*) FROM entry e
                                       WHERE e.watchlist_id = b.watchlist_id AND e.added_at <= b.built_at)) END
    FROM build b WHERE b.id = d.build_id
$$;

-- P(X <= hits) of a binomial: at the upper end of a 95 % interval (Clopper and Pearson) it is 0.025.
CREATE FUNCTION binomial_at_most(hits integer, total integer, share double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
DECLARE
    term double precision;
    sum  double precision := 0;
BEGIN
    IF share >= 1 THEN
        RETURN CASE WHEN hits >= total THEN 1 ELSE 0 END;
    ELSIF share <= 0 THEN
        RETURN 1;
    END IF;
    term := total * ln(1 - share);  -- of logarithms: (1 - share)^total may be too small for a number
    FOR i IN 0 .. hits LOOP
        IF term > -700 THEN
            sum := sum + exp(term);
        END IF;
        term := term + ln((total - i)::double precision / (i + 1) + 1e-300) + ln(share / (1 - share));
    END LOOP;
    RETURN sum;
END $$;

-- S13: a trial is one of a deployment that ran, at its place, with its pipeline, and no count of it exceeds what that
-- deployment recorded. Who asked for the deployment does not judge it.
CREATE FUNCTION trial_fits() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    d        deployment;
    n        jsonb := NEW.trial;
    counted  CONSTANT text[] := ARRAY['mated_passages','mated_people','found_passages','found_people','misnamed',
                                      'non_mated_passages','non_mated_people','false_passages','false_people','outside',
                                      'faces_searched','wrong_sightings','right_sightings','misnamed_sightings',
                                      'unseen','unseen_mated'];
    faces    bigint;
    seen     bigint;
BEGIN
    SELECT * INTO d FROM deployment WHERE id = NEW.deployment_id FOR SHARE;
    IF NOT FOUND OR NOT was_a_trial(d) OR NEW.site <> d.place OR NEW.pipeline <> d.pipeline THEN
        RAISE EXCEPTION 'calibration %: no deployment at this place and with this pipeline was its trial', NEW.id
            USING ERRCODE = 'PV013';
    END IF;
    IF NEW.recorded_by = d.requested_by
        OR NOT EXISTS (SELECT FROM person WHERE sub = NEW.recorded_by AND 'authoriser' = ANY (roles)) THEN
        RAISE EXCEPTION 'calibration %: recorded by who asked for it, or without the role', NEW.id
            USING ERRCODE = 'PV003';
    END IF;
    IF n IS NULL OR n ->> 'deployment_id' IS DISTINCT FROM d.id
        OR EXISTS (SELECT FROM unnest(counted) AS u (name)
                   WHERE jsonb_typeof(n -> name) IS DISTINCT FROM 'number' OR n ->> name !~ '^[0-9]{1,9}$') THEN
        RAISE EXCEPTION 'calibration %: its counts are not whole', NEW.id USING ERRCODE = 'PV013';
    END IF;
    IF (n ->> 'mated_passages')::int < 30 OR (n ->> 'non_mated_passages')::int < 100 THEN
        RAISE EXCEPTION 'calibration %: too few passages', NEW.id USING ERRCODE = 'PV013';
    END IF;
    SELECT COALESCE(sum(searched), 0) INTO faces FROM searched_frame WHERE deployment_id = d.id;
    SELECT count(*) INTO seen FROM trial_sightings(d.id);
    IF (n ->> 'faces_searched')::int > faces
        OR (n ->> 'found_passages')::int > LEAST(seen, (n ->> 'mated_passages')::int)
        OR (n ->> 'wrong_sightings')::int > seen OR (n ->> 'outside')::int > seen
        OR (n ->> 'false_passages')::int > (n ->> 'non_mated_passages')::int
        OR (n ->> 'false_people')::int > LEAST((n ->> 'false_passages')::int, (n ->> 'non_mated_people')::int)
        OR (n ->> 'false_passages')::int > 0 AND (n ->> 'false_people')::int = 0
        OR (n ->> 'non_mated_people')::int NOT BETWEEN 1 AND (n ->> 'non_mated_passages')::int
        OR (n ->> 'mated_people')::int > LEAST(trial_listed(d), (n ->> 'mated_passages')::int)
        OR (n ->> 'found_people')::int > LEAST((n ->> 'mated_people')::int, (n ->> 'found_passages')::int)
        OR (n ->> 'outside')::int > (n ->> 'false_passages')::int
        OR (n ->> 'unseen_mated')::int > (n ->> 'mated_passages')::int - (n ->> 'found_passages')::int
        -- A searched face is of one person: of a listed one who was found, of a stranger who was raised, or of one
        -- who was not, and each of those needs one.
        OR (n ->> 'faces_searched')::int + (n ->> 'right_sightings')::int > faces
        OR (n ->> 'non_mated_passages')::int - (n ->> 'false_passages')::int + (n ->> 'wrong_sightings')::int
            > (n ->> 'faces_searched')::int
        -- Whatever was seen is somewhere in the counts, once, and in a passage of its kind.
        OR seen <> (n ->> 'right_sightings')::int + (n ->> 'wrong_sightings')::int
            + (n ->> 'misnamed_sightings')::int + (n ->> 'outside')::int
        OR (n ->> 'found_passages')::int > (n ->> 'right_sightings')::int
        OR (n ->> 'right_sightings')::int > 0 AND (n ->> 'found_passages')::int = 0
        OR (n ->> 'wrong_sightings')::int > 0 AND (n ->> 'false_passages')::int = (n ->> 'outside')::int
        OR (n ->> 'misnamed_sightings')::int > 0 AND (n ->> 'misnamed')::int = 0
    THEN
        RAISE EXCEPTION 'calibration %: its counts are not those of the deployment', NEW.id USING ERRCODE = 'PV013';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER trial_fits BEFORE INSERT ON calibration FOR EACH ROW
    WHEN (NEW.kind = 'site_trial') EXECUTE FUNCTION trial_fits();

-- A step of a trial claims no more than the trial: no longer list, no more frames, no lower threshold, and no interval
-- that its own counts do not bear.
CREATE FUNCTION point_fits() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c calibration;
    d deployment;
BEGIN
    SELECT * INTO c FROM calibration WHERE id = NEW.calibration_id;
    IF NOT FOUND OR c.kind = 'laboratory' AND session_user = current_user THEN
        RETURN NEW;  -- the foreign key says the first; the second is the migration
    END IF;
    SELECT * INTO d FROM deployment WHERE id = c.deployment_id;
    IF c.kind = 'laboratory' OR NEW.measured_floor IS NOT NULL OR c.made_in <> pg_current_xact_id() OR NEW.list_size > trial_listed(d)
        OR NEW.frames_per_probe > d.burst_frames OR NEW.threshold_floor < d.threshold
        OR NEW.passage_fpir_high IS NULL OR NEW.face_fpir_high < NEW.passage_fpir_high
        OR binomial_at_most((c.trial ->> 'false_passages')::int, (c.trial ->> 'non_mated_passages')::int,
                            NEW.passage_fpir_high) > 0.025001
        OR binomial_at_most((c.trial ->> 'false_people')::int, (c.trial ->> 'non_mated_people')::int,
                            NEW.passage_fpir_high) > 0.025001
        OR NEW.passage_fpir_low
            > (c.trial ->> 'false_passages')::double precision / (c.trial ->> 'non_mated_passages')::double precision
    THEN
        RAISE EXCEPTION 'calibration %: this step is not what was measured', c.id USING ERRCODE = 'PV013';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER point_fits BEFORE INSERT ON calibration_point FOR EACH ROW EXECUTE FUNCTION point_fits();

-- Starts ------------------------------------------------------------------------------------------------------------

-- S12: the lowest threshold for a list of so many and uploads of up to so many frames; NULL: not measured. The smallest
-- list that is as long and was measured with as many frames; of it the highest floor of all numbers of frames up to there.
CREATE FUNCTION calibrated_floor(calibration text, entries bigint, burst integer) RETURNS numeric LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH enough AS (
        SELECT list_size, frames_per_probe FROM calibration_point
        WHERE calibration_id = calibration AND list_size >= entries AND frames_per_probe >= burst
        ORDER BY list_size, frames_per_probe LIMIT 1
    )
    SELECT max(p.threshold_floor) FROM calibration_point p JOIN enough e
        ON p.list_size = e.list_size AND p.frames_per_probe <= e.frames_per_probe
    WHERE p.calibration_id = calibration
$$;

-- The latest calibration of a pipeline: the only one that counts.
CREATE FUNCTION latest_calibration(of_pipeline text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT id FROM calibration WHERE pipeline = of_pipeline AND kind = 'laboratory' ORDER BY made_at DESC, id LIMIT 1
$$;

-- Asked for with an older calibration than the latest, a deployment would have the floor that it likes best.
CREATE FUNCTION deployment_names_the_latest() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    -- One that does not exist, or of another pipeline, is the foreign key's.
    IF EXISTS (SELECT FROM calibration WHERE id = NEW.calibration_id AND pipeline = NEW.pipeline)
        AND NEW.calibration_id IS DISTINCT FROM latest_calibration(NEW.pipeline) THEN
        RAISE EXCEPTION 'deployment %: there is a later calibration of its pipeline', NEW.id USING ERRCODE = 'PV013';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deployment_names_the_latest BEFORE INSERT ON deployment FOR EACH ROW
    WHEN (NEW.calibration_id IS NOT NULL) EXECUTE FUNCTION deployment_names_the_latest();

-- What must be there at the start, whoever starts it. Asked when it begins to warm and again when it becomes active.
CREATE OR REPLACE FUNCTION deployment_starts(d deployment) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    listed bigint := listed_in(d.build_id);
    floor  numeric;
BEGIN
    IF listed > COALESCE((d.policy ->> 'max_entries')::integer, 0) THEN
        RAISE EXCEPTION 'deployment %: its list is longer than its policy allows', d.id USING ERRCODE = 'PV008';
    END IF;
    IF (SELECT built_at FROM build WHERE id = d.build_id)
        < clock_timestamp() - make_interval(hours => COALESCE((d.policy ->> 'build_max_age_hours')::integer, 0)) THEN
        RAISE EXCEPTION 'deployment %: its build is too old', d.id USING ERRCODE = 'PV007';
    END IF;
    -- The digest names the calibration, so a later one is for another request.
    IF d.calibration_id IS NOT NULL AND d.calibration_id IS DISTINCT FROM latest_calibration(d.pipeline) THEN
        RAISE EXCEPTION 'deployment %: there is a later calibration of its pipeline, request it again', d.id
            USING ERRCODE = 'PV013';
    END IF;
    IF COALESCE((d.policy ->> 'calibration_required')::boolean, true) THEN
        IF NOT EXISTS (SELECT FROM calibration
                       WHERE id = d.calibration_id AND pipeline = d.pipeline AND kind = 'laboratory') THEN
            RAISE EXCEPTION 'deployment %: its pipeline is not calibrated', d.id USING ERRCODE = 'PV013';
        END IF;
        floor := calibrated_floor(d.calibration_id, listed, d.burst_frames);
        IF floor IS NULL THEN
            RAISE EXCEPTION 'deployment %: no list of this size, or no burst of this length, was calibrated', d.id
                USING ERRCODE = 'PV013';
        END IF;
        -- What was tried at this place holds below its threshold for nothing, whatever the list's length.
        SELECT GREATEST(floor, max(p.threshold_floor)) INTO floor FROM calibration_point p
        WHERE p.calibration_id = (
            SELECT id FROM calibration WHERE pipeline = d.pipeline AND kind = 'site_trial' AND site = d.place
            ORDER BY made_at DESC, id LIMIT 1
        );
        IF d.threshold < floor THEN
            RAISE EXCEPTION 'deployment %: its threshold is below the floor', d.id USING ERRCODE = 'PV012';
        END IF;
    END IF;
    IF COALESCE((d.policy ->> 'site_trial_required')::boolean, true) AND NOT EXISTS (
        SELECT FROM calibration WHERE pipeline = d.pipeline AND kind = 'site_trial' AND site = d.place
    ) THEN
        RAISE EXCEPTION 'deployment %: there was no site trial', d.id USING ERRCODE = 'PV013';
    END IF;
    IF NOT EXISTS (SELECT FROM attestation WHERE deployment_id = d.id AND kind = 'signage') THEN
        RAISE EXCEPTION 'deployment %: nobody attested the signage', d.id USING ERRCODE = 'PV033';
    END IF;
    IF NOT EXISTS (
        SELECT FROM attestation WHERE deployment_id = d.id AND (
            kind = 'public_notice'
            AND published_at + make_interval(hours => (d.policy ->> 'public_notice_hours')::integer) <= clock_timestamp()
            OR kind = 'notice_waived' AND COALESCE((d.policy ->> 'public_notice_waivable')::boolean, false)
        )
    ) THEN
        RAISE EXCEPTION 'deployment %: its public notice does not stand (long enough)', d.id USING ERRCODE = 'PV033';
    END IF;
    IF COALESCE((d.policy ->> 'decision_required')::boolean, true)
        AND (d.real_time_grounds IS NULL OR d.real_time_grounds ->> 'objective' IS DISTINCT FROM d.use
             OR searchable_until(d) IS NULL OR searchable_until(d) <= clock_timestamp()) THEN
        RAISE EXCEPTION 'deployment %: no court or authority allowed it', d.id USING ERRCODE = 'PV037';
    END IF;
END $$;

REVOKE ALL ON FUNCTION was_a_trial(deployment), trial_sightings(text), trial_frames(text), trial_listed(deployment),
    binomial_at_most(integer, integer, double precision), calibrated_floor(text, bigint, integer),
    latest_calibration(text), deployment_starts(deployment) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trial_sightings(text), trial_frames(text) TO proviso_govern;
GRANT SELECT ON calibration_stranger, calibration_group TO proviso_govern;
GRANT INSERT (id, pipeline, kind, site, made_at, recorded_by, data, remark, deployment_id, trial) ON calibration
    TO proviso_govern;
GRANT INSERT ON calibration_point TO proviso_govern;

-- After a reviewer's own decision: how often a stranger reaches this similarity.
GRANT SELECT ON calibration_stranger TO proviso_review;
GRANT SELECT (calibration_id) ON deployment TO proviso_review;
