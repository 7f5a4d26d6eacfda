CREATE TABLE IF NOT EXISTS pack (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    length INTEGER NOT NULL          -- what lies behind was never acknowledged
);
INSERT OR IGNORE INTO pack VALUES (1, 0);

CREATE TABLE IF NOT EXISTS blobs (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    place INTEGER NOT NULL,          -- offset in the pack; -1: a file of its own
    length INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS blobs_by_place ON blobs (place);

CREATE TABLE IF NOT EXISTS uses (
    manifest INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    PRIMARY KEY (manifest, blob)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uses_by_blob ON uses (blob);

-- Removed from `blobs`, perhaps not yet from the disk: done again until it is.
CREATE TABLE IF NOT EXISTS dead (
    digest BLOB NOT NULL,
    place INTEGER NOT NULL,
    length INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS snapshots (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    saved BLOB NOT NULL,
    taken_ns INTEGER NOT NULL,
    "before" INTEGER NOT NULL REFERENCES blobs,
    "after" INTEGER REFERENCES blobs,
    by_hand INTEGER NOT NULL DEFAULT 0,   -- of no action: whatever differs is put back
    undone INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS snapshots_by_before ON snapshots ("before");
CREATE INDEX IF NOT EXISTS snapshots_by_after ON snapshots ("after");

-- A restore that has begun and not ended.
CREATE TABLE IF NOT EXISTS restores (
    id TEXT PRIMARY KEY REFERENCES snapshots (id),
    as_snapshot TEXT NOT NULL
);
