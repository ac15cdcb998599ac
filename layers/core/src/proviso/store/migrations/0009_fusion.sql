-- Fusion: how many frames an upload may hold, all of them taken within a second (rule 10). 1: single frames only.
ALTER TABLE deployment
    ADD COLUMN burst_frames smallint NOT NULL DEFAULT 1 CONSTRAINT burst_is_short CHECK (burst_frames BETWEEN 1 AND 5);
GRANT SELECT (burst_frames) ON deployment TO proviso_match, proviso_review, proviso_retain, proviso_report;
