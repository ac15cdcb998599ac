-- Tables of the house. Names of constraints begin with the safeguard they hold. Identifiers are text: the caller makes
-- them. No table but reference_template holds anything that was computed from a face.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE person (
    sub           text PRIMARY KEY CHECK (btrim(sub) <> ''),
    roles         text[] NOT NULL
                  CHECK (roles <@ ARRAY['requester','authoriser','watchlist_officer','reviewer','recipient','auditor']),
    trained_until timestamptz
);

CREATE TABLE watchlist (
    id         text PRIMARY KEY CHECK (btrim(id) <> ''),
    name       text NOT NULL,
    policy     text NOT NULL CHECK (btrim(policy) <> ''),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    erased_at  timestamptz,
    -- Nothing is ever written here. A row lock asks for UPDATE on one column, and this one says nothing.
    held       boolean NOT NULL DEFAULT false CHECK (NOT held)
);

CREATE TABLE entry (
    id                text PRIMARY KEY CHECK (btrim(id) <> ''),
    watchlist_id      text NOT NULL REFERENCES watchlist,
    reference_no      text NOT NULL CONSTRAINT s31_reference_no CHECK (btrim(reference_no) <> ''),
    label             text NOT NULL,
    category          text NOT NULL CONSTRAINT s06_category CHECK (btrim(category) <> ''),
    reason            text NOT NULL,
    source            text NOT NULL,
    lawful_holding    text NOT NULL,
    image_date        date,
    consent_reference text,
    added_by          text NOT NULL CHECK (btrim(added_by) <> ''),
    added_at          timestamptz NOT NULL,
    removed_at        timestamptz,
    erased_at         timestamptz,
    UNIQUE (id, watchlist_id),
    CONSTRAINT s31_reference_no_is_unique UNIQUE (watchlist_id, reference_no),
    CONSTRAINT s06_label CHECK (erased_at IS NOT NULL OR btrim(label) <> ''),
    CONSTRAINT s06_reason CHECK (erased_at IS NOT NULL OR btrim(reason) <> ''),
    CONSTRAINT s06_source CHECK (erased_at IS NOT NULL OR btrim(source) <> ''),
    CONSTRAINT s06_lawful_holding CHECK (erased_at IS NOT NULL OR btrim(lawful_holding) <> ''),
    CONSTRAINT s06_image_date CHECK (erased_at IS NOT NULL OR image_date IS NOT NULL),
    CONSTRAINT s23_erased_is_empty CHECK (
        erased_at IS NULL
        OR (label = '' AND reason = '' AND source = '' AND lawful_holding = ''
            AND image_date IS NULL AND consent_reference IS NULL)
    )
);
CREATE INDEX entry_of_list ON entry (watchlist_id);

CREATE TABLE reference (
    id           text PRIMARY KEY CHECK (btrim(id) <> ''),
    entry_id     text NOT NULL,
    watchlist_id text NOT NULL,
    pipeline     text NOT NULL CHECK (btrim(pipeline) <> ''),
    image_key    text NOT NULL,
    image_digest text NOT NULL,
    added_by     text NOT NULL CHECK (btrim(added_by) <> ''),
    added_at     timestamptz NOT NULL,
    UNIQUE (id, watchlist_id, pipeline),
    FOREIGN KEY (entry_id, watchlist_id) REFERENCES entry (id, watchlist_id)
);
CREATE INDEX reference_of_entry ON reference (entry_id);
CREATE INDEX reference_of_list ON reference (watchlist_id);

-- The templates lie apart from what describes them, for two reasons: a login role that has no right to this table
-- cannot read any, and a scan over narrow rows is quicker. PLAIN: a row is never compressed or moved out of line.
CREATE TABLE reference_template (
    reference_id text PRIMARY KEY,
    watchlist_id text NOT NULL,
    pipeline     text NOT NULL,
    template     halfvec(128) NOT NULL,
    FOREIGN KEY (reference_id, watchlist_id, pipeline) REFERENCES reference (id, watchlist_id, pipeline)
);
ALTER TABLE reference_template ALTER COLUMN template SET STORAGE PLAIN;
CREATE INDEX template_of_list ON reference_template (watchlist_id, pipeline);

CREATE TABLE build (
    id           text PRIMARY KEY CHECK (btrim(id) <> ''),
    watchlist_id text NOT NULL REFERENCES watchlist,
    pipeline     text NOT NULL,
    digest       text NOT NULL,
    entries      integer NOT NULL CHECK (entries > 0),
    "references" integer NOT NULL CHECK ("references" >= entries),
    built_by     text NOT NULL,
    built_at     timestamptz NOT NULL,
    made_in      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    UNIQUE (id, watchlist_id, pipeline)
);

CREATE TABLE build_reference (
    build_id     text NOT NULL REFERENCES build,
    reference_id text NOT NULL REFERENCES reference,
    entry_id     text NOT NULL REFERENCES entry,
    PRIMARY KEY (build_id, reference_id)
);
CREATE INDEX build_reference_of_reference ON build_reference (reference_id);

CREATE TABLE deployment (
    id                text PRIMARY KEY CHECK (btrim(id) <> ''),
    state             text NOT NULL
                      CHECK (state IN ('requested','authorised','active','stopped','ended','closed')),
    use               text NOT NULL CHECK (btrim(use) <> ''),
    place             text NOT NULL CHECK (btrim(place) <> ''),
    starts_at         timestamptz NOT NULL,
    ends_at           timestamptz NOT NULL,
    watchlist_id      text NOT NULL REFERENCES watchlist,
    build_id          text NOT NULL,
    pipeline          text NOT NULL,
    threshold         numeric NOT NULL CHECK (threshold > -1 AND threshold <= 1),
    policy            jsonb NOT NULL,
    calibrated        boolean NOT NULL,
    software_build    text NOT NULL CHECK (btrim(software_build) <> ''),
    grounds           jsonb NOT NULL,
    requested_by      text NOT NULL CHECK (btrim(requested_by) <> ''),
    requested_at      timestamptz NOT NULL,
    authorised_by     text,
    authorised_at     timestamptz,
    authorised_digest text,
    started_at        timestamptz,
    finished_at       timestamptz,
    finished_by       text,
    closed_at         timestamptz,
    closed_by         text,
    made_in           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- As in watchlist: what match and review may "update" so that they may lock the row for share.
    held              boolean NOT NULL DEFAULT false CHECK (NOT held),
    FOREIGN KEY (build_id, watchlist_id, pipeline) REFERENCES build (id, watchlist_id, pipeline),
    CONSTRAINT s05_window CHECK (starts_at < ends_at),
    CONSTRAINT s02_grounds CHECK (
        grounds ?& ARRAY['operator_kind','operator_name','legal_basis','policy_document','necessity','proportionality',
                         'less_intrusive_means','schedule_8_condition','data_protection_assessment',
                         'equality_assessment','community_assessment']
        AND NOT jsonb_path_exists(grounds, '$.* ? (@.type() != "string" || @ like_regex "^\\s*$")')
    ),
    CONSTRAINT s03_another_person CHECK (authorised_by <> requested_by),
    CONSTRAINT s03_authorised_whole CHECK (
        (authorised_by IS NULL) = (authorised_digest IS NULL) AND (authorised_by IS NULL) = (authorised_at IS NULL)
    ),
    CONSTRAINT s03_authorised_first CHECK (state NOT IN ('authorised','active','ended') OR authorised_by IS NOT NULL),
    CONSTRAINT s04_started_in_window CHECK (started_at >= starts_at AND started_at < ends_at),
    CONSTRAINT s04_finished CHECK (
        (state IN ('stopped','ended','closed')) = (finished_at IS NOT NULL)
        AND (finished_at IS NULL) = (finished_by IS NULL)
    ),
    CONSTRAINT s23_closed CHECK ((state = 'closed') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closed_by IS NULL))
);
CREATE INDEX deployment_of_list ON deployment (watchlist_id);

CREATE TABLE deployment_camera (
    deployment_id text NOT NULL REFERENCES deployment,
    position      integer NOT NULL,
    camera        text NOT NULL CHECK (btrim(camera) <> ''),
    active        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (deployment_id, camera)
);
-- One active deployment a camera at a time (rule 2). `active` follows the deployment's state by trigger.
CREATE UNIQUE INDEX one_active_deployment_a_camera ON deployment_camera (camera) WHERE active;

-- Exact counts of one frame, no biometrics. The four counts are never mixed.
CREATE TABLE searched_frame (
    frame_key     text PRIMARY KEY,
    deployment_id text NOT NULL REFERENCES deployment,
    camera        text NOT NULL,
    captured_at   timestamptz NOT NULL,
    searched_at   timestamptz NOT NULL,
    detected      integer NOT NULL CHECK (detected >= 0),
    refused       integer NOT NULL CHECK (refused >= 0),
    searched      integer NOT NULL CHECK (searched >= 0),
    not_searched  integer NOT NULL CHECK (not_searched >= 0),
    candidates    integer NOT NULL CHECK (candidates BETWEEN 0 AND searched),
    CONSTRAINT counts_add_up CHECK (detected = refused + searched + not_searched)
);
CREATE INDEX searched_frame_of_deployment ON searched_frame (deployment_id);

CREATE TABLE candidate (
    id                  text PRIMARY KEY CHECK (btrim(id) <> ''),
    deployment_id       text NOT NULL REFERENCES deployment,
    entry_id            text NOT NULL REFERENCES entry,
    camera              text NOT NULL,
    place               text NOT NULL,
    frame_key           text NOT NULL,
    captured_at         timestamptz NOT NULL,
    raised_at           timestamptz NOT NULL,
    decide_by           timestamptz NOT NULL,
    last_sighting_at    timestamptz NOT NULL,
    state               text NOT NULL
                        CHECK (state IN ('raised','confirmed','rejected','expired','frozen','withdrawn')),
    similarity          double precision NOT NULL CHECK (similarity BETWEEN -1 AND 1),
    threshold           numeric NOT NULL,
    pipeline            text NOT NULL,
    policy              text NOT NULL,
    calibrated          boolean NOT NULL,
    evidence_key        text NOT NULL,
    evidence_digest     text NOT NULL,
    correlation_id      text NOT NULL,
    revision            integer NOT NULL DEFAULT 1 CHECK (revision >= 1),
    sightings           integer NOT NULL DEFAULT 1 CHECK (sightings >= 1),
    decided_by          text,
    decided_at          timestamptz,
    confirming_review   text,
    confirming_decision text GENERATED ALWAYS AS (CASE WHEN confirming_review IS NOT NULL THEN 'confirm' END) STORED,
    CONSTRAINT s21_one_an_entry_and_frame UNIQUE (deployment_id, frame_key, entry_id),
    CONSTRAINT s16_confirmed_by_a_review CHECK ((state IN ('confirmed','withdrawn')) = (confirming_review IS NOT NULL)),
    CONSTRAINT s16_decided_whole CHECK (
        (state IN ('confirmed','rejected','withdrawn')) = (decided_by IS NOT NULL)
        AND (decided_by IS NULL) = (decided_at IS NULL)
    ),
    CONSTRAINT s18_decided_in_time CHECK (decided_at < decide_by),
    CONSTRAINT s18_time_to_decide CHECK (raised_at < decide_by)
);
CREATE INDEX candidate_of_entry ON candidate (deployment_id, entry_id, last_sighting_at DESC)
    WHERE state IN ('raised','confirmed');
CREATE INDEX candidate_of_frame ON candidate (frame_key);
CREATE INDEX candidate_undecided ON candidate (decide_by) WHERE state = 'raised';

CREATE TABLE sighting (
    candidate_id text NOT NULL REFERENCES candidate,
    frame_key    text NOT NULL,
    captured_at  timestamptz NOT NULL,
    similarity   double precision NOT NULL CHECK (similarity BETWEEN -1 AND 1),
    PRIMARY KEY (candidate_id, frame_key)
);
CREATE INDEX sighting_of_frame ON sighting (frame_key);

-- The face's other hits: recorded, never raised.
CREATE TABLE runner_up (
    candidate_id text NOT NULL REFERENCES candidate,
    entry_id     text NOT NULL REFERENCES entry,
    reference_id text NOT NULL,
    similarity   double precision NOT NULL CHECK (similarity BETWEEN -1 AND 1),
    PRIMARY KEY (candidate_id, entry_id)
);

CREATE TABLE review (
    id           text PRIMARY KEY CHECK (btrim(id) <> ''),
    candidate_id text NOT NULL REFERENCES candidate,
    reviewer     text NOT NULL REFERENCES person,
    decision     text NOT NULL CHECK (decision IN ('confirm','reject','cannot_tell')),
    reason       text NOT NULL,
    decided_at   timestamptz NOT NULL,
    CONSTRAINT s16_one_decision_a_reviewer UNIQUE (candidate_id, reviewer),
    UNIQUE (candidate_id, id, decision)
);
ALTER TABLE candidate ADD CONSTRAINT s16_review_confirms_this_candidate
    FOREIGN KEY (id, confirming_review, confirming_decision) REFERENCES review (candidate_id, id, decision);

CREATE TABLE certificate (
    deployment_id     text PRIMARY KEY REFERENCES deployment,
    watchlist_id      text NOT NULL REFERENCES watchlist,
    counts            jsonb NOT NULL,
    verified_at       timestamptz NOT NULL,
    backups_expire_at timestamptz NOT NULL,
    CONSTRAINT s23_every_count_is_zero CHECK (
        jsonb_typeof(counts) = 'array' AND jsonb_array_length(counts) > 0
        AND NOT jsonb_path_exists(counts, '$[*] ? (!(@.left == 0))')
    )
);

CREATE TABLE audit_event (
    chain    text NOT NULL CHECK (btrim(chain) <> ''),
    sequence bigint NOT NULL CHECK (sequence >= 1),
    body     bytea NOT NULL,
    previous bytea NOT NULL CHECK (length(previous) = 32),
    hash     bytea NOT NULL CHECK (length(hash) = 32),
    at       timestamptz NOT NULL,
    PRIMARY KEY (chain, sequence)
);

-- The last record of each chain: its row is what an append locks, so that a chain cannot fork.
CREATE TABLE audit_head (
    chain    text PRIMARY KEY,
    sequence bigint NOT NULL,
    hash     bytea NOT NULL
);
