-- A login role a function, each with what that function does and no more. Nobody but the owner may delete anything
-- that is not listed here, change the audit, or read a template; match alone reads templates, because it searches.

DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO proviso_match, proviso_enrol, proviso_govern, proviso_review,'
                   ' proviso_retain, proviso_report', current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public
    TO proviso_match, proviso_enrol, proviso_govern, proviso_review, proviso_retain, proviso_report;

REVOKE ALL ON FUNCTION audit_reserve(text), audit_append(text, bigint, bytea), warm_build(text), deployment_left(text),
    involved_in(text), list_used_by_another(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_reserve(text), audit_append(text, bigint, bytea)
    TO proviso_match, proviso_enrol, proviso_govern, proviso_review, proviso_retain, proviso_report;

-- match: the gate, the search, candidates, the searched frame. Not the grounds, not a label, not a review.
GRANT SELECT (id, state, use, place, starts_at, ends_at, watchlist_id, build_id, pipeline, threshold, policy, calibrated,
              software_build, requested_by, requested_at, authorised_digest) ON deployment TO proviso_match;
GRANT UPDATE (held) ON deployment TO proviso_match;
GRANT SELECT ON deployment_camera, build, build_reference, reference_template, candidate, sighting, searched_frame
    TO proviso_match;
GRANT SELECT (id, watchlist_id, removed_at) ON entry TO proviso_match;
GRANT INSERT ON candidate, sighting, runner_up, searched_frame TO proviso_match;
GRANT UPDATE (sightings, last_sighting_at) ON candidate TO proviso_match;

-- enrol: a template goes in and does not come out.
GRANT SELECT ON person, watchlist, entry, reference TO proviso_enrol;
GRANT UPDATE (held) ON watchlist TO proviso_enrol;
GRANT INSERT ON reference, reference_template TO proviso_enrol;

-- govern: people, lists, builds, deployments.
GRANT SELECT ON person, watchlist, entry, reference, build, build_reference, deployment, deployment_camera, certificate,
    audit_event, audit_head TO proviso_govern;
GRANT INSERT ON person, watchlist, entry, build, build_reference, deployment, deployment_camera TO proviso_govern;
GRANT UPDATE (roles, trained_until) ON person TO proviso_govern;
GRANT UPDATE (held) ON watchlist TO proviso_govern;
GRANT UPDATE (removed_at) ON entry TO proviso_govern;
GRANT UPDATE (state, authorised_by, authorised_at, authorised_digest, started_at, finished_at, finished_by, held)
    ON deployment TO proviso_govern;
GRANT EXECUTE ON FUNCTION warm_build(text) TO proviso_govern;

-- review: candidates, and the keys of the pictures beside them. Not who it is.
GRANT SELECT ON person, candidate, review, deployment_camera, build_reference TO proviso_review;
GRANT SELECT (id, state, starts_at, ends_at, watchlist_id, build_id, policy, requested_by, authorised_by)
    ON deployment TO proviso_review;
GRANT UPDATE (held) ON deployment TO proviso_review;
GRANT SELECT (id, watchlist_id, category, erased_at) ON entry TO proviso_review;
GRANT SELECT (id, entry_id, watchlist_id, image_key) ON reference TO proviso_review;
GRANT INSERT ON review TO proviso_review;
GRANT UPDATE (state, revision, decided_by, decided_at, confirming_review) ON candidate TO proviso_review;
GRANT EXECUTE ON FUNCTION involved_in(text) TO proviso_review;

-- retain: ends, expires, erases, certifies. It deletes templates without being able to read one.
GRANT SELECT ON watchlist, build, build_reference, deployment, deployment_camera, candidate, runner_up, review,
    certificate, searched_frame, audit_event, audit_head TO proviso_retain;
GRANT SELECT (id, watchlist_id, entry_id) ON reference TO proviso_retain;
GRANT SELECT (reference_id, watchlist_id) ON reference_template TO proviso_retain;
GRANT SELECT (id, watchlist_id, erased_at) ON entry TO proviso_retain;
GRANT INSERT ON certificate TO proviso_retain;
GRANT UPDATE (erased_at, held) ON watchlist TO proviso_retain;
GRANT UPDATE (label, reason, source, lawful_holding, image_date, consent_reference, erased_at) ON entry
    TO proviso_retain;
GRANT UPDATE (state, finished_at, finished_by, closed_at, closed_by, held) ON deployment TO proviso_retain;
GRANT UPDATE (state, evidence_key) ON candidate TO proviso_retain;
GRANT DELETE ON reference, reference_template, build_reference, runner_up TO proviso_retain;
GRANT EXECUTE ON FUNCTION deployment_left(text), list_used_by_another(text, text) TO proviso_retain;

-- report: counts and states for the public record. No person, no entry, no review's reason.
GRANT SELECT ON deployment, deployment_camera, build, searched_frame, candidate, certificate, audit_event, audit_head
    TO proviso_report;
GRANT SELECT (id, watchlist_id, reference_no, category, added_at, removed_at, erased_at) ON entry TO proviso_report;
GRANT SELECT (id, candidate_id, decision, decided_at) ON review TO proviso_report;
