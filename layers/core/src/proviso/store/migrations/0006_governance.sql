-- Authorisation, lists and retention as law asks for them: what a deployment must have before it starts (S02, S05, S07,
-- S12, S13, S33, S37), who may be listed and how (S09, S11), who reviews (S17, S19), what is kept for how long (S23, S24).
-- The rules come from the policy that stands in the deployment's own row (S34).

-- People ----------------------------------------------------------------------------------------------------------

ALTER TABLE person DROP CONSTRAINT person_roles_check;
ALTER TABLE person ADD CONSTRAINT person_roles_check CHECK (
    roles <@ ARRAY['requester','authoriser','watchlist_officer','reviewer','recipient','auditor',
                   'data_protection_officer']
);
ALTER TABLE person ADD COLUMN rank text CHECK (btrim(rank) <> '');

-- Lists: the rules that hold for whoever writes stand with the list. The defaults let nobody in. --------------------

ALTER TABLE watchlist
    ADD COLUMN consent_required boolean NOT NULL DEFAULT true,
    ADD COLUMN under_18_allowed boolean NOT NULL DEFAULT false,
    ADD COLUMN image_refuse_age_years integer NOT NULL DEFAULT 0 CHECK (image_refuse_age_years >= 0),
    ADD COLUMN delete_requested_at timestamptz,
    ADD COLUMN delete_requested_by text,
    ADD CONSTRAINT s23_delete_request_whole CHECK ((delete_requested_at IS NULL) = (delete_requested_by IS NULL));

CREATE OR REPLACE FUNCTION list_rules_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.policy, NEW.categories, NEW.max_entries, NEW.consent_required, NEW.under_18_allowed,
        NEW.image_refuse_age_years)
        IS DISTINCT FROM (OLD.policy, OLD.categories, OLD.max_entries, OLD.consent_required, OLD.under_18_allowed,
                          OLD.image_refuse_age_years) THEN
        RAISE EXCEPTION 'watchlist %: keeps the rules it was made under', OLD.id USING ERRCODE = 'PV006';
    END IF;
    IF OLD.delete_requested_at IS NOT NULL
        AND (NEW.delete_requested_at, NEW.delete_requested_by)
            IS DISTINCT FROM (OLD.delete_requested_at, OLD.delete_requested_by) THEN
        RAISE EXCEPTION 'watchlist %: is to be deleted, and that stays', OLD.id USING ERRCODE = 'PV023';
    END IF;
    RETURN NEW;
END $$;

-- Nobody is added to a list that is to be deleted, and no deployment is asked for on it.
CREATE OR REPLACE FUNCTION list_is_open() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM watchlist
    WHERE id = NEW.watchlist_id AND erased_at IS NULL AND delete_requested_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'watchlist % is erased, to be deleted or unknown', NEW.watchlist_id USING ERRCODE = 'PV023';
    END IF;
    RETURN NEW;
END $$;

ALTER TABLE entry
    ADD COLUMN under_18 boolean NOT NULL DEFAULT false,
    ADD COLUMN harm_reason text,
    ADD COLUMN approved_by text,
    ADD COLUMN approved_at timestamptz,
    ADD CONSTRAINT s09_harm_reason CHECK (
        NOT under_18 OR erased_at IS NOT NULL OR btrim(COALESCE(harm_reason, '')) <> ''
    ),
    ADD CONSTRAINT s09_approved_whole CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    ADD CONSTRAINT s09_second_person CHECK (approved_by <> added_by),
    DROP CONSTRAINT s23_erased_is_empty,
    ADD CONSTRAINT s23_erased_is_empty CHECK (
        erased_at IS NULL
        OR (label = '' AND reason = '' AND source = '' AND lawful_holding = ''
            AND image_date IS NULL AND consent_reference IS NULL AND harm_reason IS NULL)
    );

CREATE FUNCTION is_live(state text) RETURNS boolean LANGUAGE sql IMMUTABLE
SET search_path = public, pg_temp AS $$
    SELECT state IN ('requested', 'authorised', 'warming', 'active')
$$;

-- An entry is what was said when it was added. It can be approved (S09), removed, and erased, each once and for good.
CREATE OR REPLACE FUNCTION entry_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    personal CONSTANT text[] := ARRAY['label','reason','source','lawful_holding','image_date','consent_reference',
                                      'harm_reason'];
    once     CONSTANT text[] := ARRAY['removed_at','erased_at','approved_by','approved_at'];
BEGIN
    IF to_jsonb(NEW) - personal - once IS DISTINCT FROM to_jsonb(OLD) - personal - once
        OR (OLD.removed_at IS NOT NULL AND NEW.removed_at IS DISTINCT FROM OLD.removed_at)
        OR (OLD.erased_at IS NOT NULL AND NEW.erased_at IS DISTINCT FROM OLD.erased_at)
        OR (OLD.approved_by IS NOT NULL
            AND (NEW.approved_by, NEW.approved_at) IS DISTINCT FROM (OLD.approved_by, OLD.approved_at))
        OR (NEW.erased_at IS NULL AND to_jsonb(NEW) - once IS DISTINCT FROM to_jsonb(OLD) - once)
    THEN
        RAISE EXCEPTION 'entry %: can only be approved, removed or erased', OLD.id USING ERRCODE = 'PV006';
    END IF;
    IF OLD.approved_by IS NULL AND NEW.approved_by IS NOT NULL AND (
        NOT OLD.under_18 OR OLD.removed_at IS NOT NULL OR OLD.erased_at IS NOT NULL
        OR NOT EXISTS (SELECT FROM person WHERE sub = NEW.approved_by
                       AND roles && ARRAY['authoriser', 'watchlist_officer'])
    ) THEN
        RAISE EXCEPTION 'entry %: this approval is not one', OLD.id USING ERRCODE = 'PV009';
    END IF;
    IF NEW.erased_at IS DISTINCT FROM OLD.erased_at AND EXISTS (
        SELECT FROM deployment WHERE watchlist_id = OLD.watchlist_id AND is_live(state)
    ) THEN
        RAISE EXCEPTION 'a live deployment uses this list' USING ERRCODE = 'PV023';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION entry_begins_unapproved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.approved_by IS NOT NULL OR NEW.removed_at IS NOT NULL OR NEW.erased_at IS NOT NULL THEN
        RAISE EXCEPTION 'entry %: begins unapproved', NEW.id USING ERRCODE = 'PV009';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entry_begins_unapproved BEFORE INSERT ON entry
    FOR EACH ROW EXECUTE FUNCTION entry_begins_unapproved();

CREATE OR REPLACE FUNCTION entry_fits_its_list() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
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
    IF EXISTS (SELECT FROM added a JOIN watchlist w ON w.id = a.watchlist_id
               WHERE w.consent_required AND btrim(COALESCE(a.consent_reference, '')) = '') THEN
        RAISE EXCEPTION 'this watchlist takes only people with a recorded consent' USING ERRCODE = 'PV006';
    END IF;
    IF EXISTS (SELECT FROM added a JOIN watchlist w ON w.id = a.watchlist_id
               WHERE a.under_18 AND NOT w.under_18_allowed) THEN
        RAISE EXCEPTION 'this watchlist takes nobody under 18' USING ERRCODE = 'PV009';
    END IF;
    -- By this clock, since `added_at` is what a caller says. A day's grace: a year has no whole number of days, and the
    -- stage counts them as 365.25; and it is tomorrow somewhere.
    IF EXISTS (SELECT FROM added a JOIN watchlist w ON w.id = a.watchlist_id
               WHERE a.image_date
                   < (clock_timestamp() - make_interval(years => w.image_refuse_age_years, days => 1))::date
                  OR a.image_date > (clock_timestamp() + interval '1 day')::date) THEN
        RAISE EXCEPTION 'a picture is older than its watchlist takes, or not made yet' USING ERRCODE = 'PV011';
    END IF;
    RETURN NULL;
END $$;

-- One picture is one reference of its entry, however often it is sent.
ALTER TABLE reference ADD CONSTRAINT one_reference_a_picture UNIQUE (entry_id, image_digest, pipeline);

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
    RETURN NULL;
END $$;

-- A build dated ahead would stay fresh for too long (S07).
CREATE FUNCTION build_is_dated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.built_at > clock_timestamp() + interval '1 minute' THEN
        RAISE EXCEPTION 'build %: is dated ahead', NEW.id USING ERRCODE = 'PV007';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER build_is_dated BEFORE INSERT ON build FOR EACH ROW EXECUTE FUNCTION build_is_dated();

CREATE OR REPLACE FUNCTION list_shrinks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT watchlist_id FROM gone) g JOIN deployment d USING (watchlist_id)
        WHERE is_live(d.state)
    ) THEN
        RAISE EXCEPTION 'a live deployment uses this list' USING ERRCODE = 'PV023';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION build_shrinks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT build_id FROM gone) g JOIN build b ON b.id = g.build_id
        JOIN deployment d ON d.watchlist_id = b.watchlist_id
        WHERE is_live(d.state)
    ) THEN
        RAISE EXCEPTION 'a live deployment uses this list' USING ERRCODE = 'PV023';
    END IF;
    RETURN NULL;
END $$;

-- Calibrations: what is measured of a pipeline. Nothing writes them yet; without one only `demo` starts (S13). -------

CREATE TABLE calibration (
    id         text PRIMARY KEY CHECK (btrim(id) <> ''),
    pipeline   text NOT NULL CHECK (btrim(pipeline) <> ''),
    kind       text NOT NULL CHECK (kind IN ('laboratory', 'site_trial')),
    site       text NOT NULL,
    made_at    timestamptz NOT NULL,
    recorded_by text NOT NULL CHECK (btrim(recorded_by) <> ''),
    UNIQUE (id, pipeline),
    CONSTRAINT s13_trial_names_its_site CHECK (kind = 'laboratory' OR btrim(site) <> '')
);

-- A step: for lists of up to so many entries, the lowest threshold (S12), and how often a stranger reaches it (S08).
CREATE TABLE calibration_point (
    calibration_id    text NOT NULL REFERENCES calibration,
    list_size         integer NOT NULL CHECK (list_size > 0),
    threshold_floor   numeric NOT NULL CHECK (threshold_floor > 0 AND threshold_floor < 1),
    face_fpir_low     double precision NOT NULL CHECK (face_fpir_low BETWEEN 0 AND 1),
    face_fpir_high    double precision NOT NULL CHECK (face_fpir_high BETWEEN 0 AND 1),
    passage_fpir_low  double precision CHECK (passage_fpir_low BETWEEN 0 AND 1),
    passage_fpir_high double precision CHECK (passage_fpir_high BETWEEN 0 AND 1),
    PRIMARY KEY (calibration_id, list_size),
    CONSTRAINT s08_intervals CHECK (
        face_fpir_low <= face_fpir_high AND passage_fpir_low <= passage_fpir_high
        AND (passage_fpir_low IS NULL) = (passage_fpir_high IS NULL)
    )
);
CREATE TRIGGER calibration_stays BEFORE UPDATE OR DELETE ON calibration
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER calibration_point_stays BEFORE UPDATE OR DELETE ON calibration_point
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Deployments -----------------------------------------------------------------------------------------------------

ALTER TABLE deployment
    ADD COLUMN premises text NOT NULL DEFAULT 'unknown',
    ADD COLUMN passages_expected integer NOT NULL DEFAULT 1,
    ADD COLUMN calibration_id text,
    ADD COLUMN real_time_grounds jsonb,
    ADD COLUMN search_until timestamptz,
    -- strict: a lax path looks into an array, and finds nothing to say against an empty one.
    DROP CONSTRAINT s02_grounds,
    ADD CONSTRAINT s02_grounds CHECK (
        grounds ?& ARRAY['operator_kind','operator_name','legal_basis','policy_document','necessity','proportionality',
                         'less_intrusive_means','schedule_8_condition','data_protection_assessment',
                         'equality_assessment','community_assessment']
        AND NOT jsonb_path_exists(grounds, 'strict $.* ? (@.type() != "string" || @ like_regex "^\\s*$")')
    ),
    ADD CONSTRAINT s08_passages CHECK (passages_expected > 0),
    ADD CONSTRAINT s13_calibrated CHECK (calibrated = (calibration_id IS NOT NULL)),
    ADD CONSTRAINT s13_of_this_pipeline FOREIGN KEY (calibration_id, pipeline) REFERENCES calibration (id, pipeline),
    ADD CONSTRAINT s37_grounds CHECK (
        real_time_grounds IS NULL OR (
            real_time_grounds ?& ARRAY['objective','national_law','rights_impact_assessment','registration_number',
                                       'urgency']
            AND NOT jsonb_path_exists(real_time_grounds,
                '$.keyvalue() ? (@.value.type() != "string" || (@.key != "urgency" && @.value like_regex "^\\s*$"))')
        )
    ),
    DROP CONSTRAINT deployment_state_check,
    ADD CONSTRAINT deployment_state_check CHECK (
        state IN ('requested','authorised','warming','active','stopped','ended','closed')
    ),
    DROP CONSTRAINT s03_authorised_first,
    ADD CONSTRAINT s03_authorised_first CHECK (
        state NOT IN ('authorised','warming','active','ended') OR authorised_by IS NOT NULL
    );
ALTER TABLE deployment ALTER COLUMN premises DROP DEFAULT, ALTER COLUMN passages_expected DROP DEFAULT;

-- Who reviews and who receives, for this deployment. Nobody does unless they are named here.
CREATE TABLE deployment_member (
    deployment_id text NOT NULL REFERENCES deployment,
    sub           text NOT NULL REFERENCES person,
    role          text NOT NULL CHECK (role IN ('reviewer', 'recipient')),
    added_by      text NOT NULL CHECK (btrim(added_by) <> ''),
    added_at      timestamptz NOT NULL,
    removed_at    timestamptz,
    PRIMARY KEY (deployment_id, sub, role)
);

-- S33: said by a person, once, before the start: the public notice, the signage, or why there is no notice.
CREATE TABLE attestation (
    deployment_id text NOT NULL REFERENCES deployment,
    kind          text NOT NULL CHECK (kind IN ('public_notice', 'signage', 'notice_waived')),
    statement     text NOT NULL CONSTRAINT s33_statement CHECK (btrim(statement) <> ''),
    made_by       text NOT NULL REFERENCES person,
    made_at       timestamptz NOT NULL,
    published_at  timestamptz,
    PRIMARY KEY (deployment_id, kind),
    CONSTRAINT s33_published CHECK ((kind = 'public_notice') = (published_at IS NOT NULL)),
    CONSTRAINT s33_not_ahead CHECK (published_at <= made_at)
);
CREATE FUNCTION attestation_fits() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    who CONSTANT text[] := CASE NEW.kind WHEN 'notice_waived' THEN ARRAY['authoriser']
                                         ELSE ARRAY['requester', 'authoriser'] END;
BEGIN
    IF NOT EXISTS (SELECT FROM person WHERE sub = NEW.made_by AND roles && who) OR NOT EXISTS (
        SELECT FROM deployment d WHERE d.id = NEW.deployment_id AND is_live(d.state)
        AND (NEW.kind <> 'notice_waived' OR COALESCE((d.policy ->> 'public_notice_waivable')::boolean, false))
    ) THEN
        RAISE EXCEPTION 'deployment %: this cannot be attested', NEW.deployment_id USING ERRCODE = 'PV033';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attestation_fits BEFORE INSERT ON attestation FOR EACH ROW EXECUTE FUNCTION attestation_fits();
CREATE TRIGGER attestation_stays BEFORE UPDATE OR DELETE ON attestation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- S37: what a court or an independent authority decided (AI Act 5(3)).
CREATE TABLE prior_authorisation (
    id              text PRIMARY KEY CHECK (btrim(id) <> ''),
    deployment_id   text NOT NULL REFERENCES deployment,
    body            text NOT NULL CONSTRAINT s37_body CHECK (btrim(body) <> ''),
    reference       text NOT NULL CONSTRAINT s37_reference CHECK (btrim(reference) <> ''),
    decided_on      date NOT NULL,
    document_sha256 text NOT NULL CONSTRAINT s37_document CHECK (document_sha256 ~ '^[0-9a-f]{64}$'),
    granted         boolean NOT NULL,
    place           text NOT NULL,
    valid_from      timestamptz NOT NULL,
    valid_until     timestamptz NOT NULL,
    persons         text[] NOT NULL,
    recorded_by     text NOT NULL REFERENCES person,
    recorded_at     timestamptz NOT NULL,
    CONSTRAINT s37_validity CHECK (valid_from < valid_until),
    CONSTRAINT s37_decided_before CHECK (decided_on <= ((recorded_at + interval '1 day') AT TIME ZONE 'UTC')::date),
    CONSTRAINT s37_once UNIQUE (deployment_id, reference)
);
CREATE TRIGGER prior_authorisation_stays BEFORE UPDATE OR DELETE ON prior_authorisation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Until when may be searched: the end, but under a policy that asks for a prior authorisation no longer than that one
-- says, and after an urgent start without one no longer than the policy's hours. NULL: not at all.
CREATE FUNCTION searchable_until(d deployment) RETURNS timestamptz LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    found  timestamptz;
    hours  integer := COALESCE((d.policy ->> 'urgent_start_hours')::integer, 0);
    listed text[];
BEGIN
    IF NOT COALESCE((d.policy ->> 'decision_required')::boolean, true) THEN
        RETURN d.ends_at;
    END IF;
    IF EXISTS (SELECT FROM prior_authorisation p WHERE p.deployment_id = d.id AND NOT p.granted) THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(DISTINCT e.reference_no) INTO listed
    FROM build_reference b JOIN entry e ON e.id = b.entry_id WHERE b.build_id = d.build_id AND e.removed_at IS NULL;
    SELECT max(p.valid_until) INTO found FROM prior_authorisation p
    WHERE p.deployment_id = d.id AND p.granted AND p.place = d.place AND p.persons @> COALESCE(listed, '{}')
      AND p.valid_from <= clock_timestamp() AND clock_timestamp() < p.valid_until;
    IF found IS NOT NULL THEN
        RETURN LEAST(d.ends_at, found);
    END IF;
    IF EXISTS (SELECT FROM prior_authorisation p WHERE p.deployment_id = d.id) THEN
        RETURN NULL;  -- decided, but not for this place, now, and everybody listed: that is no urgency any more
    END IF;
    IF hours > 0 AND btrim(COALESCE(d.real_time_grounds ->> 'urgency', '')) <> '' THEN
        RETURN LEAST(d.ends_at, COALESCE(d.started_at, clock_timestamp()) + make_interval(hours => hours));
    END IF;
    RETURN NULL;
END $$;

-- How many people a build holds: counted, since its own figure is what a caller wrote.
CREATE FUNCTION listed_in(wanted text) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT count(DISTINCT entry_id) FROM build_reference WHERE build_id = wanted
$$;

-- What must be there at the start, whoever starts it. Asked when it begins to warm and again when it becomes active.
CREATE FUNCTION deployment_starts(d deployment) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
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
    IF COALESCE((d.policy ->> 'calibration_required')::boolean, true) THEN
        IF NOT EXISTS (SELECT FROM calibration WHERE id = d.calibration_id AND pipeline = d.pipeline) THEN
            RAISE EXCEPTION 'deployment %: its pipeline is not calibrated', d.id USING ERRCODE = 'PV013';
        END IF;
        SELECT threshold_floor INTO floor FROM calibration_point
        WHERE calibration_id = d.calibration_id AND list_size >= listed ORDER BY list_size LIMIT 1;
        IF floor IS NULL THEN
            RAISE EXCEPTION 'deployment %: no list of this size was calibrated', d.id USING ERRCODE = 'PV013';
        END IF;
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

CREATE OR REPLACE FUNCTION deployment_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    -- Everything else is a term, and a term never changes: a column added later is a term until it is listed here.
    moving CONSTANT text[] := ARRAY['state','authorised_by','authorised_at','authorised_digest','started_at',
                                    'finished_at','finished_by','closed_at','closed_by','search_until'];
    step   text;
    ranks  jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'requested' OR NEW.authorised_by IS NOT NULL OR NEW.started_at IS NOT NULL
            OR NEW.search_until IS NOT NULL THEN
            RAISE EXCEPTION 'deployment %: begins as requested', NEW.id USING ERRCODE = 'PV003';
        END IF;
        -- FOR SHARE waits for who is about to have the list deleted; a key share would not.
        PERFORM 1 FROM watchlist
        WHERE id = NEW.watchlist_id AND erased_at IS NULL AND delete_requested_at IS NULL FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'deployment %: its watchlist is erased', NEW.id USING ERRCODE = 'PV023';
        END IF;
        IF NOT EXISTS (
            SELECT FROM watchlist w WHERE w.id = NEW.watchlist_id AND w.policy = NEW.policy ->> 'name'
            AND to_jsonb(w.categories) <@ (NEW.policy -> 'categories')
            AND w.consent_required >= COALESCE((NEW.policy ->> 'consent_required')::boolean, true)
            AND w.under_18_allowed <= COALESCE((NEW.policy ->> 'under_18_allowed')::boolean, false)
            AND w.image_refuse_age_years <= COALESCE((NEW.policy ->> 'image_refuse_age_years')::integer, 0)
        ) THEN
            RAISE EXCEPTION 'deployment %: its watchlist was made under other or looser rules', NEW.id
                USING ERRCODE = 'PV006';
        END IF;
        -- A value that the policy lacks allows nothing.
        IF NOT COALESCE(NEW.policy -> 'uses' ? NEW.use, false)
            OR NOT COALESCE(NEW.policy -> 'premises' ? NEW.premises, false)
            OR NOT COALESCE(NEW.policy -> 'operator_kinds' ? (NEW.grounds ->> 'operator_kind'), false) THEN
            RAISE EXCEPTION 'deployment %: the policy does not know this use, operator or place', NEW.id
                USING ERRCODE = 'PV002';
        END IF;
        IF NEW.grounds ->> 'operator_kind' = 'private_organisation' AND NEW.premises = 'open_to_the_public' THEN
            RAISE EXCEPTION 'deployment %: no policy is for a private operator in a place open to the public', NEW.id
                USING ERRCODE = 'PV002';
        END IF;
        IF EXISTS (SELECT FROM deployment
                   WHERE policy ->> 'name' = NEW.policy ->> 'name' AND policy ->> 'version' = NEW.policy ->> 'version'
                     AND policy IS DISTINCT FROM NEW.policy) THEN
            RAISE EXCEPTION 'deployment %: its policy was edited under its version', NEW.id USING ERRCODE = 'PV034';
        END IF;
        IF NEW.ends_at - NEW.starts_at
            > make_interval(mins => COALESCE((NEW.policy ->> 'max_duration_minutes')::integer, 0)) THEN
            RAISE EXCEPTION 'deployment %: is longer than its policy allows', NEW.id USING ERRCODE = 'PV005';
        END IF;
        IF listed_in(NEW.build_id) > COALESCE((NEW.policy ->> 'max_entries')::integer, 0) THEN
            RAISE EXCEPTION 'deployment %: its list is longer than its policy allows', NEW.id USING ERRCODE = 'PV008';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - moving IS DISTINCT FROM to_jsonb(OLD) - moving THEN
        RAISE EXCEPTION 'deployment %: its terms cannot be changed', OLD.id USING ERRCODE = 'PV003';
    END IF;
    step := OLD.state || '>' || NEW.state;
    IF NEW.state <> OLD.state AND step NOT IN (
        'requested>authorised', 'requested>stopped', 'authorised>warming', 'authorised>stopped', 'authorised>ended',
        'warming>active', 'warming>stopped', 'warming>ended', 'active>stopped', 'active>ended', 'stopped>closed',
        'ended>closed'
    ) THEN
        RAISE EXCEPTION 'deployment %: % cannot become %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'PV003';
    END IF;
    IF step <> 'requested>authorised'
        AND (NEW.authorised_by, NEW.authorised_at, NEW.authorised_digest)
            IS DISTINCT FROM (OLD.authorised_by, OLD.authorised_at, OLD.authorised_digest)
        OR (step <> 'warming>active') AND NEW.started_at IS DISTINCT FROM OLD.started_at
        OR (step = 'warming>active') AND NEW.started_at IS NULL
        OR (OLD.finished_at IS NOT NULL)
            AND (NEW.finished_at, NEW.finished_by) IS DISTINCT FROM (OLD.finished_at, OLD.finished_by)
        OR (OLD.closed_at IS NOT NULL)
            AND (NEW.closed_at, NEW.closed_by) IS DISTINCT FROM (OLD.closed_at, OLD.closed_by)
    THEN
        RAISE EXCEPTION 'deployment %: who did what when is written once', OLD.id USING ERRCODE = 'PV003';
    END IF;
    IF step = 'requested>authorised' THEN
        ranks := COALESCE(NEW.policy -> 'authoriser_ranks', '[]');
        IF NOT EXISTS (
            SELECT FROM person WHERE sub = NEW.authorised_by AND 'authoriser' = ANY (roles)
            AND (jsonb_array_length(ranks) = 0 OR ranks ? COALESCE(rank, ''))
        ) THEN
            RAISE EXCEPTION 'deployment %: authorised by somebody without that role or rank', OLD.id
                USING ERRCODE = 'PV003';
        END IF;
    END IF;
    IF step = 'warming>active' THEN
        -- A caller's clock that is ahead neither opens the window (s04_started_in_window) nor lengthens an urgent start.
        NEW.started_at := LEAST(NEW.started_at, clock_timestamp());
    END IF;
    IF step IN ('authorised>warming', 'warming>active') THEN
        PERFORM deployment_starts(NEW);
    END IF;
    -- Nobody writes this: it is worked out anew at each change while it is active, and stands still afterwards. Its own
    -- beginning stands for "not at all": an infinite time is none that a caller could read.
    NEW.search_until := CASE WHEN NEW.state = 'active' THEN COALESCE(searchable_until(NEW), NEW.starts_at)
                             ELSE OLD.search_until END;
    RETURN NEW;
END $$;

-- A recorded decision takes effect at once: it lengthens an urgent start, or ends it.
CREATE FUNCTION prior_authorisation_counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE deployment SET held = false WHERE id = NEW.deployment_id;
    RETURN NULL;
END $$;
CREATE TRIGGER prior_authorisation_counts AFTER INSERT ON prior_authorisation
    FOR EACH ROW EXECUTE FUNCTION prior_authorisation_counts();

CREATE FUNCTION prior_authorisation_fits() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM deployment d WHERE d.id = NEW.deployment_id
        AND (is_live(d.state) OR NOT NEW.granted AND d.state <> 'closed')
        AND COALESCE((d.policy ->> 'decision_required')::boolean, false) AND d.requested_by <> NEW.recorded_by
    ) OR NOT EXISTS (SELECT FROM person WHERE sub = NEW.recorded_by AND 'authoriser' = ANY (roles)) THEN
        RAISE EXCEPTION 'deployment %: this decision cannot be recorded', NEW.deployment_id USING ERRCODE = 'PV037';
    END IF;
    IF NEW.granted AND (cardinality(NEW.persons) = 0
        OR NEW.place <> (SELECT place FROM deployment WHERE id = NEW.deployment_id)) THEN
        RAISE EXCEPTION 'deployment %: the decision is for another place, or for nobody', NEW.deployment_id
            USING ERRCODE = 'PV037';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER prior_authorisation_fits BEFORE INSERT ON prior_authorisation
    FOR EACH ROW EXECUTE FUNCTION prior_authorisation_fits();

-- Whoever approved an entry listed that person too (S09, S17).
CREATE OR REPLACE FUNCTION involved_in(wanted text) RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT requested_by FROM deployment WHERE id = wanted
    UNION SELECT authorised_by FROM deployment WHERE id = wanted AND authorised_by IS NOT NULL
    UNION SELECT e.added_by FROM entry e JOIN deployment d USING (watchlist_id) WHERE d.id = wanted
    UNION SELECT e.approved_by FROM entry e JOIN deployment d USING (watchlist_id)
          WHERE d.id = wanted AND e.approved_by IS NOT NULL
    UNION SELECT r.added_by FROM reference r JOIN deployment d USING (watchlist_id) WHERE d.id = wanted
$$;

-- After an urgent start was not decided in time nothing is confirmed either, though its window is open (S37).
CREATE FUNCTION confirmed_while_searchable() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM deployment WHERE id = NEW.deployment_id AND search_until <= clock_timestamp()) THEN
        RAISE EXCEPTION 'candidate %: its deployment may not be searched any more', NEW.id USING ERRCODE = 'PV016';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER confirmed_while_searchable BEFORE UPDATE ON candidate FOR EACH ROW
    WHEN (OLD.state = 'raised' AND NEW.state = 'confirmed') EXECUTE FUNCTION confirmed_while_searchable();

-- A candidate says "not calibrated" where its deployment is not (S13).
CREATE FUNCTION candidate_says_calibrated() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.calibrated AND NOT EXISTS (SELECT FROM deployment WHERE id = NEW.deployment_id AND calibrated) THEN
        RAISE EXCEPTION 'candidate %: its deployment is not calibrated', NEW.id USING ERRCODE = 'PV013';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER candidate_says_calibrated BEFORE INSERT ON candidate
    FOR EACH ROW EXECUTE FUNCTION candidate_says_calibrated();

-- Reviews: by somebody who is named for this deployment and whose training is current (S17, S19). --------------------

CREATE OR REPLACE FUNCTION review_is_due() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM candidate c JOIN deployment d ON d.id = c.deployment_id
        WHERE c.id = NEW.candidate_id AND c.state = 'raised' AND d.state = 'active'
          AND NEW.decided_at < c.decide_by AND clock_timestamp() < c.decide_by
          AND NEW.decided_at < LEAST(d.ends_at, d.search_until)
          AND clock_timestamp() < LEAST(d.ends_at, d.search_until)
    ) THEN
        RAISE EXCEPTION 'candidate %: no decision is open', NEW.candidate_id USING ERRCODE = 'PV018';
    END IF;
    IF EXISTS (
        SELECT FROM candidate c, involved_in(c.deployment_id) AS i (sub)
        WHERE c.id = NEW.candidate_id AND i.sub = NEW.reviewer
    ) OR NOT EXISTS (SELECT FROM person WHERE sub = NEW.reviewer AND 'reviewer' = ANY (roles)) OR NOT EXISTS (
        SELECT FROM candidate c JOIN deployment_member m USING (deployment_id)
        WHERE c.id = NEW.candidate_id AND m.sub = NEW.reviewer AND m.role = 'reviewer' AND m.removed_at IS NULL
    ) THEN
        RAISE EXCEPTION 'candidate %: this person does not review it', NEW.candidate_id USING ERRCODE = 'PV017';
    END IF;
    IF NOT EXISTS (SELECT FROM person WHERE sub = NEW.reviewer AND trained_until > clock_timestamp()) THEN
        RAISE EXCEPTION 'candidate %: this reviewer''s training is not current', NEW.candidate_id
            USING ERRCODE = 'PV019';
    END IF;
    RETURN NEW;
END $$;

-- Evidence: goes at the policy's hours unless a hold stands (S24). ---------------------------------------------------

CREATE TABLE evidence_hold (
    id           text PRIMARY KEY CHECK (btrim(id) <> ''),
    candidate_id text NOT NULL REFERENCES candidate,
    kind         text NOT NULL CHECK (kind IN ('engaged', 'wrong', 'complaint', 'reason')),
    reason       text NOT NULL CONSTRAINT s24_reason CHECK (btrim(reason) <> ''),
    held_by      text NOT NULL CHECK (btrim(held_by) <> ''),
    held_at      timestamptz NOT NULL,
    until        timestamptz NOT NULL,
    released_by  text,
    released_at  timestamptz,
    CONSTRAINT s24_at_most_30_days CHECK (until > held_at AND until <= held_at + interval '30 days'),
    CONSTRAINT s24_released_whole CHECK ((released_by IS NULL) = (released_at IS NULL))
);
CREATE INDEX hold_of_candidate ON evidence_hold (candidate_id) WHERE released_at IS NULL;

CREATE FUNCTION hold_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.released_at IS NOT NULL THEN
            RAISE EXCEPTION 'hold %: begins as a hold', NEW.id USING ERRCODE = 'PV024';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - ARRAY['released_by','released_at'] IS DISTINCT FROM to_jsonb(OLD) - ARRAY['released_by','released_at']
        OR OLD.released_at IS NOT NULL THEN
        RAISE EXCEPTION 'hold %: can only be released, once', OLD.id USING ERRCODE = 'PV024';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_changes BEFORE INSERT OR UPDATE ON evidence_hold FOR EACH ROW EXECUTE FUNCTION hold_changes();
CREATE TRIGGER hold_stays BEFORE DELETE ON evidence_hold FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION is_held(candidate text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM evidence_hold h
                   WHERE h.candidate_id = candidate AND h.released_at IS NULL AND clock_timestamp() < h.until)
$$;

CREATE FUNCTION evidence_is_free() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF is_held(NEW.id) THEN
        RAISE EXCEPTION 'candidate %: its evidence is held', NEW.id USING ERRCODE = 'PV024';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER evidence_is_free BEFORE UPDATE OF evidence_key ON candidate FOR EACH ROW
    WHEN (NEW.evidence_key = '' AND OLD.evidence_key <> '') EXECUTE FUNCTION evidence_is_free();

CREATE OR REPLACE FUNCTION deployment_left(wanted text) RETURNS TABLE (store text, still bigint) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH own AS (
        SELECT watchlist_id AS list FROM deployment WHERE id = wanted AND NOT list_used_by_another(watchlist_id, wanted)
    )
    SELECT 'evidence pointers without a hold', count(*) FROM candidate
    WHERE deployment_id = wanted AND evidence_key <> '' AND NOT is_held(id)
    UNION ALL SELECT 'runners-up', count(*) FROM runner_up r JOIN candidate c ON c.id = r.candidate_id
              WHERE c.deployment_id = wanted
    UNION ALL SELECT 'templates', (SELECT count(*) FROM reference_template WHERE watchlist_id = list) FROM own
    UNION ALL SELECT 'references', (SELECT count(*) FROM reference WHERE watchlist_id = list) FROM own
    UNION ALL SELECT 'references in builds', (SELECT count(*) FROM build_reference r JOIN build b ON b.id = r.build_id
              WHERE b.watchlist_id = list) FROM own
    UNION ALL SELECT 'entry particulars', (SELECT count(*) FROM entry WHERE watchlist_id = list AND erased_at IS NULL)
              FROM own
$$;

-- Said when the last backup that could hold any of it has expired (S23).
CREATE TABLE backup_certificate (
    deployment_id text PRIMARY KEY REFERENCES certificate,
    verified_at   timestamptz NOT NULL
);
CREATE FUNCTION backups_have_expired() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM certificate c JOIN deployment d ON d.id = c.deployment_id
        WHERE c.deployment_id = NEW.deployment_id AND d.state = 'closed'
          AND c.backups_expire_at <= NEW.verified_at AND c.backups_expire_at <= clock_timestamp()
    ) THEN
        RAISE EXCEPTION 'deployment %: its backups have not expired', NEW.deployment_id USING ERRCODE = 'PV023';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER backups_have_expired BEFORE INSERT ON backup_certificate
    FOR EACH ROW EXECUTE FUNCTION backups_have_expired();
CREATE TRIGGER backup_certificate_stays BEFORE UPDATE OR DELETE ON backup_certificate
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Up to where each chain's head stands outside (S29). A note of what was done, not the proof: that is outside.
CREATE TABLE audit_anchor (
    chain       text PRIMARY KEY,
    sequence    bigint NOT NULL,
    hash        bytea NOT NULL CHECK (length(hash) = 32),
    anchored_at timestamptz NOT NULL
);

-- A head moves one step at a time, the owner's plain statements included.
CREATE TRIGGER audit_head_step BEFORE UPDATE ON audit_head FOR EACH ROW
    WHEN (NEW.chain <> OLD.chain OR NEW.sequence <> OLD.sequence + 1) EXECUTE FUNCTION refuse_change();

-- Grants ------------------------------------------------------------------------------------------------------------

REVOKE ALL ON FUNCTION searchable_until(deployment), deployment_starts(deployment), listed_in(text), is_held(text),
    is_live(text) FROM PUBLIC;

GRANT SELECT (premises, passages_expected, calibration_id, search_until) ON deployment TO proviso_match;

GRANT SELECT ON calibration, calibration_point, deployment_member, attestation, prior_authorisation, evidence_hold,
    backup_certificate, audit_anchor TO proviso_govern;
GRANT INSERT ON deployment_member, attestation, prior_authorisation, evidence_hold, audit_anchor TO proviso_govern;
GRANT UPDATE (rank) ON person TO proviso_govern;
GRANT UPDATE (approved_by, approved_at) ON entry TO proviso_govern;
GRANT UPDATE (delete_requested_at, delete_requested_by) ON watchlist TO proviso_govern;
GRANT UPDATE (added_by, added_at, removed_at) ON deployment_member TO proviso_govern;
GRANT UPDATE (released_by, released_at) ON evidence_hold TO proviso_govern;
GRANT UPDATE (sequence, hash, anchored_at) ON audit_anchor TO proviso_govern, proviso_retain;
-- For the data protection officer's answers (S31): that and when somebody was raised, never what they look like.
GRANT SELECT (id, deployment_id, entry_id, camera, place, captured_at, raised_at, state, decided_at, sightings,
              evidence_key) ON candidate TO proviso_govern;

GRANT SELECT ON deployment_member TO proviso_review;
GRANT SELECT (search_until) ON deployment TO proviso_review;

GRANT SELECT ON evidence_hold, backup_certificate, audit_anchor TO proviso_retain;
GRANT INSERT ON backup_certificate, audit_anchor TO proviso_retain;
GRANT UPDATE (harm_reason) ON entry TO proviso_retain;
GRANT EXECUTE ON FUNCTION is_held(text) TO proviso_retain;
