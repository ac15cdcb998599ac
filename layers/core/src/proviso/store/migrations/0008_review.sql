-- Review: who is told and how (S20), what a confirmation came to (S22), how it is taken back (S16), what a reviewer may
-- say about groups (S28), and how it is known that reviewers decide rightly (S19).

-- Where a face is in its picture: x, y, width, height in whole pixels, so that probe and reference can be shown at equal
-- size. NULL for rows from before.
CREATE FUNCTION is_box(box integer[]) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT box IS NULL OR (cardinality(box) = 4 AND box[1] >= 0 AND box[2] >= 0 AND box[3] > 0 AND box[4] > 0)
$$;
ALTER TABLE candidate ADD COLUMN face integer[] CONSTRAINT candidate_face_is_a_box CHECK (is_box(face));
ALTER TABLE reference ADD COLUMN face integer[] CONSTRAINT reference_face_is_a_box CHECK (is_box(face));

-- People: how they are told -----------------------------------------------------------------------------------------

-- Without a place or a category a person is told of all of their deployments. A removed contact keeps no address.
CREATE TABLE contact (
    sub        text PRIMARY KEY REFERENCES person,
    email      text CHECK (btrim(email) <> ''),
    phone      text CHECK (btrim(phone) <> ''),
    language   text NOT NULL CHECK (language IN ('en', 'cy')),
    places     text[] NOT NULL DEFAULT '{}',
    categories text[] NOT NULL DEFAULT '{}',
    set_by     text NOT NULL CHECK (btrim(set_by) <> ''),
    set_at     timestamptz NOT NULL,
    removed_at timestamptz,
    CONSTRAINT contact_can_be_reached CHECK (removed_at IS NOT NULL OR email IS NOT NULL OR phone IS NOT NULL),
    CONSTRAINT contact_removed_is_empty CHECK (removed_at IS NULL OR (email IS NULL AND phone IS NULL))
);

-- Each account has its own: a subscription has one filter, for one account.
CREATE UNIQUE INDEX contact_email_is_one_accounts ON contact (lower(email)) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX contact_phone_is_one_accounts ON contact (phone) WHERE removed_at IS NULL;

-- Reviewers: from when on their answers to seeded tests count. Training anew begins the count anew.
ALTER TABLE person ADD COLUMN rated_from timestamptz NOT NULL DEFAULT '-infinity';

CREATE FUNCTION person_is_trained_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.rated_from := CASE WHEN TG_OP = 'INSERT' THEN '-infinity'
                           WHEN NEW.trained_until > COALESCE(OLD.trained_until, '-infinity') THEN clock_timestamp()
                           ELSE OLD.rated_from END;
    RETURN NEW;
END $$;
CREATE TRIGGER person_is_trained_anew BEFORE INSERT OR UPDATE ON person
    FOR EACH ROW EXECUTE FUNCTION person_is_trained_anew();

-- Taking a confirmation back ----------------------------------------------------------------------------------------

CREATE TABLE withdrawal (
    candidate_id text PRIMARY KEY REFERENCES candidate,
    withdrawn_by text NOT NULL CHECK (btrim(withdrawn_by) <> ''),
    reason       text NOT NULL CONSTRAINT s23_reason CHECK (reason = '' OR btrim(reason) <> ''),
    withdrawn_at timestamptz NOT NULL
);

-- Taking back must work when nothing else does: after the deadline, after a stop, with training run out. It is still a
-- reviewer of this deployment who does it; or the removal of the entry, by itself (entry_removed, below).
CREATE FUNCTION withdrawal_is_due() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM candidate WHERE id = NEW.candidate_id AND state = 'confirmed') THEN
        RAISE EXCEPTION 'candidate %: no confirmation stands', NEW.candidate_id USING ERRCODE = 'PV016';
    END IF;
    IF NEW.withdrawn_by = 'entry:removed' AND EXISTS (
        SELECT FROM candidate c JOIN entry e ON e.id = c.entry_id
        WHERE c.id = NEW.candidate_id AND e.removed_at IS NOT NULL
    ) THEN
        RETURN NEW;
    END IF;
    IF NOT EXISTS (SELECT FROM person WHERE sub = NEW.withdrawn_by AND 'reviewer' = ANY (roles)) OR NOT EXISTS (
        SELECT FROM candidate c JOIN deployment_member m USING (deployment_id)
        WHERE c.id = NEW.candidate_id AND m.sub = NEW.withdrawn_by AND m.role = 'reviewer' AND m.removed_at IS NULL
    ) THEN
        RAISE EXCEPTION 'candidate %: this person does not review it', NEW.candidate_id USING ERRCODE = 'PV017';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER withdrawal_is_due BEFORE INSERT ON withdrawal FOR EACH ROW EXECUTE FUNCTION withdrawal_is_due();
CREATE TRIGGER withdrawal_stays BEFORE DELETE ON withdrawal FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Who is taken off the list is looked for no longer: what waits is frozen, and what was confirmed within the day is taken
-- back, which everybody is told who was told of it.
CREATE OR REPLACE FUNCTION entry_removed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE candidate SET state = 'frozen' WHERE entry_id = NEW.id AND state = 'raised';
    INSERT INTO withdrawal (candidate_id, withdrawn_by, reason, withdrawn_at)
    SELECT c.id, 'entry:removed', 'the entry was removed from its list', clock_timestamp()
    FROM candidate c JOIN deployment d ON d.id = c.deployment_id
    WHERE c.entry_id = NEW.id AND c.state = 'confirmed' AND d.state <> 'closed'
      AND clock_timestamp() < c.decided_at + interval '24 hours'
    ORDER BY c.id;
    UPDATE candidate c SET state = 'withdrawn', revision = revision + 1
    FROM withdrawal w WHERE w.candidate_id = c.id AND c.entry_id = NEW.id AND c.state = 'confirmed';
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION candidate_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
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
    step := OLD.state || '>' || NEW.state;
    IF (NEW.state = OLD.state OR step = 'confirmed>withdrawn')
        AND (NEW.decided_by, NEW.decided_at, NEW.confirming_review)
            IS DISTINCT FROM (OLD.decided_by, OLD.decided_at, OLD.confirming_review) THEN
        RAISE EXCEPTION 'candidate %: is decided once', OLD.id USING ERRCODE = 'PV016';
    END IF;
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF step NOT IN ('raised>confirmed', 'raised>rejected', 'raised>expired', 'raised>frozen', 'confirmed>withdrawn') THEN
        RAISE EXCEPTION 'candidate %: % cannot become %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'PV016';
    END IF;
    IF step = 'raised>confirmed' THEN
        SELECT (policy ->> 'reviewers_required')::integer INTO needed
        FROM deployment WHERE id = OLD.deployment_id AND state = 'active' AND clock_timestamp() < ends_at;
        IF NOT FOUND OR clock_timestamp() >= OLD.decide_by OR (
            SELECT count(DISTINCT reviewer) FROM review WHERE candidate_id = OLD.id AND decision = 'confirm'
        ) < GREATEST(needed, 1) OR NOT EXISTS (
            SELECT FROM review WHERE id = NEW.confirming_review AND reviewer = NEW.decided_by
        ) THEN
            RAISE EXCEPTION 'candidate %: nobody confirmed it in time', OLD.id USING ERRCODE = 'PV016';
        END IF;
    ELSIF step = 'raised>rejected' AND NOT EXISTS (
        SELECT FROM review WHERE candidate_id = OLD.id AND decision = 'reject' AND reviewer = NEW.decided_by
    ) THEN
        RAISE EXCEPTION 'candidate %: nobody rejected it', OLD.id USING ERRCODE = 'PV016';
    ELSIF step = 'confirmed>withdrawn' AND NOT EXISTS (SELECT FROM withdrawal WHERE candidate_id = OLD.id) THEN
        RAISE EXCEPTION 'candidate %: nobody withdrew it', OLD.id USING ERRCODE = 'PV016';
    END IF;
    RETURN NEW;
END $$;

-- Outcomes (S22): what the recipients found. Each is kept; the latest stands. -------------------------------------------

CREATE TABLE outcome (
    id           text PRIMARY KEY CHECK (btrim(id) <> ''),
    candidate_id text NOT NULL REFERENCES candidate,
    result       text NOT NULL CHECK (result IN ('not_engaged', 'engaged_right', 'engaged_wrong', 'not_recorded')),
    action       text NOT NULL CHECK (action IN ('none', 'conversation', 'help', 'search', 'arrest', 'removal')),
    recorded_by  text NOT NULL CHECK (btrim(recorded_by) <> ''),
    recorded_at  timestamptz NOT NULL,
    CONSTRAINT s22_action_of_an_engagement CHECK (action = 'none' OR result IN ('engaged_right', 'engaged_wrong')),
    CONSTRAINT s22_nobody_recorded_it CHECK ((result = 'not_recorded') = (recorded_by = 'function:retain'))
);
CREATE INDEX outcome_of_candidate ON outcome (candidate_id, recorded_at DESC, id DESC);

CREATE FUNCTION outcome_is_due() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM candidate WHERE id = NEW.candidate_id AND state IN ('confirmed', 'withdrawn')) THEN
        RAISE EXCEPTION 'candidate %: nobody was told of it', NEW.candidate_id USING ERRCODE = 'PV022';
    END IF;
    IF NEW.result = 'not_recorded' THEN
        PERFORM 1 FROM candidate WHERE id = NEW.candidate_id AND decided_at + interval '24 hours' <= clock_timestamp()
            AND NOT EXISTS (SELECT FROM outcome o WHERE o.candidate_id = NEW.candidate_id);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'candidate %: an outcome is recorded, or still asked for', NEW.candidate_id
                USING ERRCODE = 'PV022';
        END IF;
    ELSIF NEW.recorded_at > clock_timestamp() + interval '1 minute' OR NOT EXISTS (
        SELECT FROM candidate c JOIN deployment_member m USING (deployment_id) JOIN person p ON p.sub = m.sub
        WHERE c.id = NEW.candidate_id AND m.sub = NEW.recorded_by AND m.role = 'recipient' AND m.removed_at IS NULL
          AND 'recipient' = ANY (p.roles)
    ) THEN
        RAISE EXCEPTION 'candidate %: this person does not receive its notices', NEW.candidate_id
            USING ERRCODE = 'PV022';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER outcome_is_due BEFORE INSERT ON outcome FOR EACH ROW EXECUTE FUNCTION outcome_is_due();
CREATE TRIGGER outcome_stays BEFORE UPDATE OR DELETE ON outcome FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Holds that nobody has to ask for (S24): somebody was engaged, or it was the wrong person. Where the picture is gone
-- already there is nothing to hold, and the outcome counts all the same.
CREATE FUNCTION outcome_holds() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    wanted text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('evidence/' || NEW.candidate_id, 0));
    IF EXISTS (SELECT FROM candidate WHERE id = NEW.candidate_id AND evidence_key <> '') THEN
        FOREACH wanted IN ARRAY CASE NEW.result WHEN 'engaged_right' THEN ARRAY['engaged']
                                                WHEN 'engaged_wrong' THEN ARRAY['engaged', 'wrong']
                                                ELSE ARRAY[]::text[] END
        LOOP
            INSERT INTO evidence_hold (id, candidate_id, kind, reason, held_by, held_at, until)
            SELECT NEW.id || '/' || wanted, NEW.candidate_id, wanted, 'outcome: ' || NEW.result, NEW.recorded_by,
                   NEW.recorded_at, NEW.recorded_at + interval '30 days'
            WHERE NOT EXISTS (SELECT FROM evidence_hold h WHERE h.candidate_id = NEW.candidate_id AND h.kind = wanted
                              AND h.released_at IS NULL);
        END LOOP;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER outcome_holds AFTER INSERT ON outcome FOR EACH ROW EXECUTE FUNCTION outcome_holds();

-- A hold dated ahead would hold for longer than its thirty days.
CREATE OR REPLACE FUNCTION hold_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.released_at IS NOT NULL OR NEW.held_at > clock_timestamp() + interval '1 minute' THEN
            RAISE EXCEPTION 'hold %: begins now, as a hold', NEW.id USING ERRCODE = 'PV024';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - ARRAY['released_by','released_at'] IS DISTINCT FROM to_jsonb(OLD) - ARRAY['released_by','released_at']
        OR OLD.released_at IS NOT NULL THEN
        RAISE EXCEPTION 'hold %: can only be released, once', OLD.id USING ERRCODE = 'PV024';
    END IF;
    RETURN NEW;
END $$;

-- The candidate's row before the lock of its evidence, as a deletion takes them: the other way round, two wait for ever.
CREATE OR REPLACE FUNCTION hold_needs_evidence() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM candidate WHERE id = NEW.candidate_id FOR KEY SHARE;
    PERFORM pg_advisory_xact_lock(hashtextextended('evidence/' || NEW.candidate_id, 0));
    IF NOT EXISTS (SELECT FROM candidate WHERE id = NEW.candidate_id AND evidence_key <> '') THEN
        RAISE EXCEPTION 'candidate %: its evidence is gone', NEW.candidate_id USING ERRCODE = 'PV024';
    END IF;
    RETURN NEW;
END $$;

-- Groups (S28): said by a person, after their own decision, once. No function works any of it out. ------------------------

CREATE TABLE demographics (
    candidate_id text NOT NULL REFERENCES candidate,
    reviewer     text NOT NULL REFERENCES person,
    sex          text NOT NULL CHECK (sex IN ('female', 'male', 'not_stated')),
    age          text NOT NULL CHECK (age IN ('under_18', '18_34', '35_54', '55_plus', 'not_stated')),
    ethnicity    text NOT NULL CHECK (ethnicity IN ('asian', 'black', 'mixed', 'white', 'other', 'not_stated')),
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (candidate_id, reviewer)
);

CREATE FUNCTION demographics_come_after() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM review WHERE candidate_id = NEW.candidate_id AND reviewer = NEW.reviewer) THEN
        RAISE EXCEPTION 'candidate %: groups are recorded after one''s own decision', NEW.candidate_id
            USING ERRCODE = 'PV028';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER demographics_come_after BEFORE INSERT ON demographics
    FOR EACH ROW EXECUTE FUNCTION demographics_come_after();
CREATE TRIGGER demographics_stay BEFORE UPDATE ON demographics FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Seeded tests (S19): candidates of which the answer is known. They are in tables of their own, so that no notice, rate
-- or public record can come to hold one. ---------------------------------------------------------------------------------

CREATE TABLE test_pair (
    id                text PRIMARY KEY CHECK (btrim(id) <> ''),
    mated             boolean NOT NULL,
    similarity        double precision NOT NULL CHECK (similarity BETWEEN -1 AND 1),
    consent_reference text NOT NULL CHECK (btrim(consent_reference) <> ''),
    probe_key         text NOT NULL,
    probe_face        integer[] NOT NULL CHECK (is_box(probe_face)),
    reference_key     text NOT NULL,
    reference_face    integer[] NOT NULL CHECK (is_box(reference_face)),
    added_by          text NOT NULL CHECK (btrim(added_by) <> ''),
    added_at          timestamptz NOT NULL,
    removed_at        timestamptz,
    CONSTRAINT s19_removed_has_no_picture CHECK ((removed_at IS NOT NULL) = (probe_key = '' AND reference_key = '')),
    -- Its own pictures and no others: no frame's, and no listed person's.
    CONSTRAINT s19_pictures_of_its_own CHECK (removed_at IS NOT NULL OR (
        probe_key = 'tests/' || id || '-probe.jpg' AND reference_key = 'tests/' || id || '-reference.jpg'
    ))
);

-- May a pair be drawn for a test? The bucket deletes its pictures after 31 days, whoever forgot to remove it.
CREATE FUNCTION can_be_drawn(added_at timestamptz, removed_at timestamptz) RETURNS boolean LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
    SELECT removed_at IS NULL AND clock_timestamp() < added_at + interval '30 days'
$$;

CREATE FUNCTION test_pair_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    once CONSTANT text[] := ARRAY['removed_at','probe_key','reference_key'];
BEGIN
    IF OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL
        OR to_jsonb(NEW) - once IS DISTINCT FROM to_jsonb(OLD) - once THEN
        RAISE EXCEPTION 'test pair %: can only be removed, once', OLD.id USING ERRCODE = 'PV019';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER test_pair_changes BEFORE UPDATE ON test_pair FOR EACH ROW EXECUTE FUNCTION test_pair_changes();
CREATE TRIGGER test_pair_stays BEFORE DELETE ON test_pair FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE test_candidate (
    id            text PRIMARY KEY CHECK (btrim(id) <> ''),
    deployment_id text NOT NULL REFERENCES deployment,
    reviewer      text NOT NULL REFERENCES person,
    pair_id       text NOT NULL REFERENCES test_pair,
    mated         boolean NOT NULL,
    camera        text NOT NULL,
    place         text NOT NULL,
    captured_at   timestamptz NOT NULL,
    raised_at     timestamptz NOT NULL,
    decide_by     timestamptz NOT NULL CHECK (raised_at < decide_by),
    decision      text CHECK (decision IN ('confirm', 'reject', 'cannot_tell')),
    reason        text CONSTRAINT s23_reason CHECK (reason = '' OR btrim(reason) <> ''),
    decided_at    timestamptz,
    CONSTRAINT s19_answered_whole CHECK (
        (decision IS NULL) = (decided_at IS NULL) AND (decision IS NULL) = (reason IS NULL)
    ),
    CONSTRAINT s19_answered_in_time CHECK (decided_at >= raised_at AND decided_at < decide_by)
);
CREATE INDEX test_of_reviewer ON test_candidate (reviewer, raised_at);

-- How many candidates this person decided in the hour before, tests included: tired eyes agree too easily (S19).
CREATE FUNCTION decided_within_the_hour(who text, at timestamptz) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT (SELECT count(*) FROM review WHERE reviewer = who AND decided_at > at - interval '1 hour')
         + (SELECT count(*) FROM test_candidate WHERE reviewer = who AND decided_at > at - interval '1 hour')
$$;
CREATE INDEX review_of_reviewer ON review (reviewer, decided_at);

-- The tests that count for this person: (answered, wrong). "Cannot tell" is neither right nor wrong.
CREATE FUNCTION test_answers(who text, OUT answered bigint, OUT wrong bigint) LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT count(*), count(*) FILTER (WHERE t.mated = (t.decision = 'reject'))
    FROM test_candidate t JOIN person p ON p.sub = t.reviewer
    WHERE t.reviewer = who AND t.decision IN ('confirm', 'reject') AND t.decided_at >= p.rated_from
$$;

-- Is this person surely wrong more often than the limit allows? True when so many wrong answers would come about by
-- chance less than once in 40 at the limit itself: the lower end of the Clopper-Pearson interval at 95 % is above it.
CREATE FUNCTION errs_too_often(who text, limit_percent integer) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    answered bigint;
    wrong    bigint;
    p        double precision := limit_percent / 100.0;
    log_term double precision;
    tail     double precision := 0;
BEGIN
    SELECT * INTO answered, wrong FROM test_answers(who);
    IF wrong = 0 OR p >= 1 THEN
        RETURN false;
    END IF;
    IF p <= 0 THEN
        RETURN true;
    END IF;
    -- P(X >= wrong) of a binomial distribution, term by term; logarithms, since the first terms may be very small.
    log_term := answered * ln(1 - p);
    FOR i IN 0..answered LOOP
        IF i >= wrong AND log_term > -700 THEN
            tail := tail + exp(log_term);
        END IF;
        EXIT WHEN i = answered;
        log_term := log_term + ln((answered - i)::double precision / (i + 1)) + ln(p) - ln(1 - p);
    END LOOP;
    RETURN tail < 0.025;
END $$;

CREATE FUNCTION test_candidate_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    answer CONSTANT text[] := ARRAY['decision','reason','decided_at'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.decision IS NOT NULL OR NOT EXISTS (
            SELECT FROM test_pair WHERE id = NEW.pair_id AND mated = NEW.mated AND can_be_drawn(added_at, removed_at)
                                    AND added_by <> NEW.reviewer
        ) OR NOT EXISTS (
            SELECT FROM deployment d JOIN deployment_member m ON m.deployment_id = d.id
            WHERE d.id = NEW.deployment_id AND d.state = 'active' AND m.sub = NEW.reviewer AND m.role = 'reviewer'
              AND m.removed_at IS NULL AND COALESCE((d.policy ->> 'test_candidates_percent')::integer, 0) > 0
        ) THEN
            RAISE EXCEPTION 'test %: is for a reviewer of an active deployment that asks for tests', NEW.id
                USING ERRCODE = 'PV019';
        END IF;
        PERFORM pg_advisory_xact_lock(hashtextextended('reviewer/' || NEW.reviewer, 0));
        IF NEW.mated AND (SELECT count(*) FILTER (WHERE mated) + 1 >= count(*) FILTER (WHERE NOT mated)
                          FROM test_candidate WHERE reviewer = NEW.reviewer) THEN
            RAISE EXCEPTION 'test %: more tests show different people than the same', NEW.id USING ERRCODE = 'PV019';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.decision IS NOT NULL OR to_jsonb(NEW) - answer IS DISTINCT FROM to_jsonb(OLD) - answer
        OR clock_timestamp() >= OLD.decide_by OR NEW.decided_at NOT BETWEEN OLD.raised_at AND OLD.decide_by
        OR NOT EXISTS (SELECT FROM deployment WHERE id = OLD.deployment_id AND state = 'active')
        OR NOT EXISTS (SELECT FROM test_pair WHERE id = OLD.pair_id AND removed_at IS NULL) THEN
        RAISE EXCEPTION 'test %: is answered once, in time', OLD.id USING ERRCODE = 'PV018';
    END IF;
    PERFORM reviewer_may_decide(OLD.deployment_id, NEW.reviewer, NEW.decided_at);
    RETURN NEW;
END $$;
CREATE TRIGGER test_candidate_begins BEFORE INSERT ON test_candidate
    FOR EACH ROW EXECUTE FUNCTION test_candidate_changes();
-- An answer is as it was given, but that its reason may be emptied (only_its_reason_goes, below).
CREATE TRIGGER test_candidate_changes BEFORE UPDATE ON test_candidate FOR EACH ROW
    WHEN (OLD.decision IS NULL OR NEW.reason IS DISTINCT FROM '') EXECUTE FUNCTION test_candidate_changes();
CREATE TRIGGER test_candidate_stays BEFORE DELETE ON test_candidate FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Who may decide now in this deployment, whatever is decided (S19): trained, not wrong too often, not tired.
CREATE FUNCTION reviewer_may_decide(wanted text, who text, at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    rules jsonb;
BEGIN
    SELECT policy INTO rules FROM deployment WHERE id = wanted;
    -- One decision of a person after the other: what is asked here is then asked of all that were before it.
    PERFORM pg_advisory_xact_lock(hashtextextended('reviewer/' || who, 0));
    IF NOT EXISTS (SELECT FROM person WHERE sub = who AND trained_until > clock_timestamp()) THEN
        RAISE EXCEPTION 'deployment %: this reviewer''s training is not current', wanted USING ERRCODE = 'PV019';
    END IF;
    IF errs_too_often(who, COALESCE((rules ->> 'reviewer_error_limit_percent')::integer, 20)) THEN
        RAISE EXCEPTION 'deployment %: this reviewer is wrong too often', wanted USING ERRCODE = 'PV219';
    END IF;
    IF decided_within_the_hour(who, LEAST(at, clock_timestamp()))
        >= COALESCE((rules ->> 'candidates_per_reviewer_hour')::integer, 30) THEN
        RAISE EXCEPTION 'deployment %: this reviewer has decided as many as an hour allows', wanted
            USING ERRCODE = 'PV119';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION review_is_due() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    of_deployment text;
BEGIN
    SELECT c.deployment_id INTO of_deployment
    FROM candidate c JOIN deployment d ON d.id = c.deployment_id
    WHERE c.id = NEW.candidate_id AND c.state = 'raised' AND d.state = 'active'
      AND NEW.decided_at >= c.raised_at  -- or a decision could be dated out of the hour that is counted (S19)
      AND NEW.decided_at < c.decide_by AND clock_timestamp() < c.decide_by
      AND NEW.decided_at < LEAST(d.ends_at, d.search_until) AND clock_timestamp() < LEAST(d.ends_at, d.search_until);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'candidate %: no decision is open', NEW.candidate_id USING ERRCODE = 'PV018';
    END IF;
    IF EXISTS (SELECT FROM involved_in(of_deployment) AS i (sub) WHERE i.sub = NEW.reviewer)
        OR NOT EXISTS (SELECT FROM person WHERE sub = NEW.reviewer AND 'reviewer' = ANY (roles))
        OR NOT EXISTS (SELECT FROM deployment_member m WHERE m.deployment_id = of_deployment AND m.sub = NEW.reviewer
                       AND m.role = 'reviewer' AND m.removed_at IS NULL) THEN
        RAISE EXCEPTION 'candidate %: this person does not review it', NEW.candidate_id USING ERRCODE = 'PV017';
    END IF;
    PERFORM reviewer_may_decide(of_deployment, NEW.reviewer, NEW.decided_at);
    RETURN NEW;
END $$;

-- A policy that asks for tests of reviewers starts nothing before there are pictures for them.
CREATE FUNCTION tests_are_there() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF COALESCE((NEW.policy ->> 'test_candidates_percent')::integer, 0) > 0
        AND NOT EXISTS (SELECT FROM test_pair WHERE NOT mated AND can_be_drawn(added_at, removed_at)) THEN
        RAISE EXCEPTION 'deployment %: there are no pictures for tests of its reviewers', NEW.id USING ERRCODE = 'PV019';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tests_are_there BEFORE UPDATE ON deployment FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.state IN ('warming', 'active'))
    EXECUTE FUNCTION tests_are_there();

-- What stays of a review after the close ---------------------------------------------------------------------------------

-- Who decided what and when stays: it is the record that a person decided (S16). Why, in their own words, does not: it
-- may describe who was seen. It is said when it is written, and emptied at the close (S23, S24).
ALTER TABLE review ADD CONSTRAINT s23_reason CHECK (reason = '' OR btrim(reason) <> '');
ALTER TABLE evidence_hold DROP CONSTRAINT s24_reason,
    ADD CONSTRAINT s24_reason CHECK (reason = '' OR btrim(reason) <> '');
CREATE INDEX review_with_its_reason ON review (candidate_id) WHERE reason <> '';
CREATE INDEX withdrawal_with_its_reason ON withdrawal (candidate_id) WHERE reason <> '';
CREATE INDEX hold_with_its_reason ON evidence_hold (candidate_id) WHERE reason <> '';

CREATE FUNCTION reason_is_said() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF btrim(NEW.reason) = '' THEN
        RAISE EXCEPTION '%: is written with a reason', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_ARGV[0];
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reason_is_said BEFORE INSERT ON review FOR EACH ROW EXECUTE FUNCTION reason_is_said('s23_reason');
CREATE TRIGGER reason_is_said BEFORE INSERT ON withdrawal FOR EACH ROW EXECUTE FUNCTION reason_is_said('s23_reason');
CREATE TRIGGER reason_is_said BEFORE UPDATE ON test_candidate FOR EACH ROW WHEN (OLD.decision IS NULL)
    EXECUTE FUNCTION reason_is_said('s23_reason');
CREATE TRIGGER reason_is_said BEFORE INSERT ON evidence_hold FOR EACH ROW EXECUTE FUNCTION reason_is_said('s24_reason');

-- Whose row this is: of a candidate or of a test.
CREATE FUNCTION state_of(of jsonb, OUT deployment text, OUT state text) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT d.id, d.state FROM deployment d
    WHERE d.id = COALESCE(of ->> 'deployment_id', (SELECT deployment_id FROM candidate WHERE id = of ->> 'candidate_id'))
$$;

-- Who writes a reason and who closes wait for one another, so that no certificate comes between a look and a row
-- (S23). A confirmation may be taken back after the close too: then its reason is asked for, and not kept.
CREATE FUNCTION reason_meets_the_close() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM deployment WHERE id = (SELECT deployment FROM state_of(to_jsonb(NEW))) FOR SHARE;
    IF (SELECT state FROM state_of(to_jsonb(NEW))) = 'closed' THEN
        NEW.reason := '';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reason_meets_the_close BEFORE INSERT ON review FOR EACH ROW EXECUTE FUNCTION reason_meets_the_close();
-- A removal holds its entry and candidates already, for which a stop or a close may wait: it waits for no deployment. What
-- it writes is always the same sentence, and of nobody.
CREATE TRIGGER reason_meets_the_close BEFORE INSERT ON withdrawal FOR EACH ROW
    WHEN (NEW.withdrawn_by <> 'entry:removed') EXECUTE FUNCTION reason_meets_the_close();
CREATE TRIGGER reason_meets_the_close BEFORE UPDATE ON test_candidate FOR EACH ROW WHEN (OLD.decision IS NULL)
    EXECUTE FUNCTION reason_meets_the_close();

-- Of what is over the reason is emptied, by whoever writes, and nothing else is changed (S23).
CREATE FUNCTION only_its_reason_goes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.reason <> '' OR to_jsonb(NEW) - 'reason' IS DISTINCT FROM to_jsonb(OLD) - 'reason'
        OR (SELECT state FROM state_of(to_jsonb(OLD))) NOT IN ('stopped', 'ended', 'closed') THEN
        RAISE EXCEPTION '% is append-only: of what is over the reason alone is emptied', TG_TABLE_NAME
            USING ERRCODE = 'PV029';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER review_stays ON review;
CREATE TRIGGER review_stays BEFORE DELETE ON review FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_its_reason_goes BEFORE UPDATE ON review FOR EACH ROW EXECUTE FUNCTION only_its_reason_goes();
CREATE TRIGGER only_its_reason_goes BEFORE UPDATE ON withdrawal FOR EACH ROW EXECUTE FUNCTION only_its_reason_goes();

CREATE TRIGGER only_its_reason_goes BEFORE UPDATE ON test_candidate FOR EACH ROW
    WHEN (OLD.decision IS NOT NULL AND NEW.reason = '') EXECUTE FUNCTION only_its_reason_goes();

-- A hold's reason has a use for as long as the hold stands, and while its deployment is not closed (S24).
CREATE FUNCTION hold_reason_goes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF to_jsonb(NEW) - 'reason' IS DISTINCT FROM to_jsonb(OLD) - 'reason'
        OR (OLD.released_at IS NULL AND clock_timestamp() < OLD.until)
        OR (SELECT state FROM state_of(to_jsonb(OLD))) <> 'closed' THEN
        RAISE EXCEPTION 'hold %: its reason goes when it has ended and its deployment is closed', OLD.id
            USING ERRCODE = 'PV024';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER hold_changes ON evidence_hold;
CREATE TRIGGER hold_begins BEFORE INSERT ON evidence_hold FOR EACH ROW EXECUTE FUNCTION hold_changes();
CREATE TRIGGER hold_changes BEFORE UPDATE ON evidence_hold FOR EACH ROW
    WHEN (NEW.reason <> '' OR OLD.reason = '') EXECUTE FUNCTION hold_changes();
CREATE TRIGGER hold_reason_goes BEFORE UPDATE ON evidence_hold FOR EACH ROW
    WHEN (NEW.reason = '' AND OLD.reason <> '') EXECUTE FUNCTION hold_reason_goes();

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
    UNION ALL SELECT 'references', (SELECT count(*) FROM reference WHERE watchlist_id = list) FROM own
    UNION ALL SELECT 'references in builds', (SELECT count(*) FROM build_reference r JOIN build b ON b.id = r.build_id
              WHERE b.watchlist_id = list) FROM own
    UNION ALL SELECT 'entry particulars', (SELECT count(*) FROM entry WHERE watchlist_id = list AND erased_at IS NULL)
              FROM own
$$;

-- Groups (S28): what was said of single candidates becomes counts, and the rows go. A count names nobody, no camera and
-- no time.
CREATE TABLE group_count (
    deployment_id text NOT NULL REFERENCES deployment,
    state         text NOT NULL CHECK (state IN ('confirmed', 'rejected', 'expired', 'withdrawn', 'frozen')),
    result        text NOT NULL CHECK (result IN ('none', 'not_engaged', 'engaged_right', 'engaged_wrong', 'not_recorded')),
    sex           text NOT NULL,
    age           text NOT NULL,
    ethnicity     text NOT NULL,
    counted       bigint NOT NULL CHECK (counted > 0),
    PRIMARY KEY (deployment_id, state, result, sex, age, ethnicity)
);

-- When it is known what became of a candidate: its deployment is over, and of what was confirmed there is an outcome.
CREATE FUNCTION fate_is_known(candidate text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM candidate c JOIN deployment d ON d.id = c.deployment_id
        WHERE c.id = candidate AND d.state IN ('stopped', 'ended', 'closed')
          AND (c.state IN ('rejected', 'expired', 'frozen')
               -- Not before the day is over in which it may be corrected (S22).
               OR c.state IN ('confirmed', 'withdrawn') AND c.decided_at + interval '24 hours' <= clock_timestamp()
                  AND EXISTS (SELECT FROM outcome o WHERE o.candidate_id = c.id))
    )
$$;

-- Nothing is said of what is over: a row that is counted and gone cannot come a second time (S28).
CREATE FUNCTION demographics_in_time() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM deployment WHERE id = (SELECT deployment FROM state_of(to_jsonb(NEW))) FOR SHARE;
    IF (SELECT state FROM state_of(to_jsonb(NEW))) IN ('stopped', 'ended', 'closed') THEN
        RAISE EXCEPTION 'candidate %: its deployment is over', NEW.candidate_id USING ERRCODE = 'PV128';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER demographics_in_time BEFORE INSERT ON demographics FOR EACH ROW EXECUTE FUNCTION demographics_in_time();

-- To delete a row is to count it, for whoever does it: so none is counted twice and none is lost (S28).
CREATE FUNCTION demographics_are_counted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT fate_is_known(OLD.candidate_id) THEN
        RAISE EXCEPTION 'demographics is append-only: candidate % is not counted yet', OLD.candidate_id
            USING ERRCODE = 'PV029';
    END IF;
    INSERT INTO group_count AS g (deployment_id, state, result, sex, age, ethnicity, counted)
    SELECT c.deployment_id, c.state,
           COALESCE((SELECT o.result FROM outcome o WHERE o.candidate_id = c.id
                     ORDER BY o.recorded_at DESC, o.id DESC LIMIT 1), 'none'),
           OLD.sex, OLD.age, OLD.ethnicity, 1
    FROM candidate c WHERE c.id = OLD.candidate_id
    ON CONFLICT (deployment_id, state, result, sex, age, ethnicity) DO UPDATE SET counted = g.counted + 1;
    RETURN NULL;
END $$;
-- One counts after the other: two that count the same groups in another order would wait for one another for ever.
CREATE FUNCTION one_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('group_count', 0));
    RETURN NULL;
END $$;
CREATE TRIGGER demographics_stay_all BEFORE TRUNCATE ON demographics
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER one_counts BEFORE DELETE ON demographics FOR EACH STATEMENT EXECUTE FUNCTION one_counts();
CREATE TRIGGER demographics_are_counted AFTER DELETE ON demographics
    FOR EACH ROW EXECUTE FUNCTION demographics_are_counted();

-- A count is changed by a row that goes, one at a time, and by nothing else.
CREATE FUNCTION group_count_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 OR (TG_OP = 'INSERT' AND NEW.counted <> 1)
        OR (TG_OP = 'UPDATE' AND (NEW.counted <> OLD.counted + 1
                                  OR to_jsonb(NEW) - 'counted' IS DISTINCT FROM to_jsonb(OLD) - 'counted')) THEN
        RAISE EXCEPTION 'deployment %: groups are counted from what was said', NEW.deployment_id
            USING ERRCODE = 'PV028';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER group_count_grows BEFORE INSERT OR UPDATE ON group_count
    FOR EACH ROW EXECUTE FUNCTION group_count_grows();
CREATE TRIGGER group_count_stays BEFORE DELETE ON group_count FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER group_count_stays_all BEFORE TRUNCATE ON group_count FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- retain empties reasons without reading a test's, and counts groups without reading one.
REVOKE ALL ON FUNCTION state_of(jsonb), fate_is_known(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fate_is_known(text) TO proviso_retain;
GRANT UPDATE (reason) ON review, withdrawal, test_candidate, evidence_hold TO proviso_retain;
GRANT SELECT (deployment_id, decided_at) ON test_candidate TO proviso_retain;
GRANT SELECT (candidate_id), DELETE ON demographics TO proviso_retain;
GRANT SELECT (counted) ON group_count TO proviso_retain;

-- Grants ------------------------------------------------------------------------------------------------------------

REVOKE ALL ON FUNCTION is_box(integer[]), decided_within_the_hour(text, timestamptz), test_answers(text),
    errs_too_often(text, integer), reviewer_may_decide(text, text, timestamptz),
    can_be_drawn(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_box(integer[]) TO proviso_match, proviso_enrol, proviso_retain, proviso_review, proviso_govern;

-- review: what it shows, decides and records. It sees no address and no label.
GRANT SELECT (sub, places, categories, removed_at) ON contact TO proviso_review;
GRANT SELECT (reason, removed_at) ON entry TO proviso_review;
GRANT SELECT (face) ON reference TO proviso_review;
GRANT SELECT (place, use, grounds, threshold, calibrated, started_at, finished_at) ON deployment TO proviso_review;
GRANT SELECT ON withdrawal, outcome, demographics, test_candidate, evidence_hold TO proviso_review;
GRANT SELECT (id, mated, similarity, probe_key, probe_face, reference_key, reference_face, added_by, added_at, removed_at)
    ON test_pair TO proviso_review;
GRANT EXECUTE ON FUNCTION can_be_drawn(timestamptz, timestamptz) TO proviso_review, proviso_govern, proviso_enrol;
GRANT INSERT ON withdrawal, outcome, demographics, test_candidate, evidence_hold TO proviso_review;
GRANT UPDATE (decision, reason, decided_at) ON test_candidate TO proviso_review;
GRANT EXECUTE ON FUNCTION decided_within_the_hour(text, timestamptz), test_answers(text), errs_too_often(text, integer),
    is_held(text) TO proviso_review;

-- enrol: the pairs that tests are made of; their pictures pass the same gate as references do.
GRANT SELECT, INSERT ON test_pair TO proviso_enrol;
GRANT UPDATE (removed_at, probe_key, reference_key) ON test_pair TO proviso_enrol;

-- govern: how people are told; and whether there are pictures for the tests that a start asks for.
GRANT SELECT (mated, added_at, removed_at) ON test_pair TO proviso_govern;
GRANT SELECT, INSERT ON contact TO proviso_govern;
GRANT UPDATE (email, phone, language, places, categories, set_by, set_at, removed_at) ON contact TO proviso_govern;

-- retain: closes outcomes that nobody recorded; makes a lost notice again, for which it needs the category.
GRANT SELECT ON outcome, withdrawal TO proviso_retain;
GRANT INSERT ON outcome TO proviso_retain;
GRANT SELECT (category) ON entry TO proviso_retain;
-- It deletes pictures of tests that no pair names, and counts what is held.
GRANT SELECT (probe_key, reference_key, added_at, removed_at) ON test_pair TO proviso_retain;
GRANT SELECT (id) ON test_candidate TO proviso_retain;
