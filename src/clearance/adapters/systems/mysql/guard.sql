CREATE DATABASE IF NOT EXISTS clearance_guard CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- n is made from snapshot_id. state is saved (before the action), settled (after it) or undone.
CREATE TABLE IF NOT EXISTS clearance_guard.snapshots (
    n BIGINT NOT NULL PRIMARY KEY,
    snapshot_id VARCHAR(190) NOT NULL,
    fingerprint VARCHAR(255) NOT NULL,
    at DATETIME(6) NOT NULL,
    state VARCHAR(16) NOT NULL,
    reversibility VARCHAR(16) NOT NULL,
    irreversible TEXT NOT NULL,
    undone_by VARCHAR(190) NULL,
    UNIQUE KEY snapshot_id (snapshot_id)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS clearance_guard.snapshot_tables (
    n BIGINT NOT NULL,
    schema_name VARCHAR(64) NOT NULL,
    table_name VARCHAR(64) NOT NULL,
    image VARCHAR(64) NOT NULL,
    before_rows BIGINT NOT NULL,
    after_rows BIGINT NOT NULL,
    checksum BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (n, schema_name, table_name)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS clearance_guard.marker (
    environment VARCHAR(16) NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
