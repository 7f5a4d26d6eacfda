CREATE TABLE types (id INTEGER PRIMARY KEY, a, b REAL, c TEXT, d NUMERIC, e BLOB, f INTEGER);
INSERT INTO types (a, b, c, d, e, f) VALUES
  (1, 1, 1, 1, 1, 1), (1.0, 1e308, '', '1e400', x'', 9223372036854775807), (-0.0, -1e-308, 'é' || char(0) || 'x', 0.1, x'00', -9223372036854775808),
  (NULL, NULL, NULL, NULL, NULL, NULL), ('1', 9e999, '🙂', 'abc', 'text', 1.5), (x'6162', 3.0, 5, 12345678901234567890, 5, 'n'), (0.1 + 0.2, 2.5e-5, 'a''b"c', '0x10', x'ff', 0);
CREATE TABLE keyless (a, b); INSERT INTO keyless VALUES (1, 2), (1, 2), (NULL, NULL), (1, 2);
CREATE TABLE nullkey (k TEXT PRIMARY KEY, v); INSERT INTO nullkey VALUES ('a', 1), (NULL, 2), (NULL, 3), ('b', 4);
CREATE TABLE pair (a TEXT COLLATE NOCASE, b, v, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO pair VALUES ('x', 1, 'p'), ('y', 1, 'q');
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO counted (v) VALUES ('a'), ('b');
CREATE TABLE computed (id INTEGER PRIMARY KEY, a, s AS (a || '!') STORED, v AS (a || '?')); INSERT INTO computed (a) VALUES ('p'), ('q');
CREATE TABLE stored (id INTEGER PRIMARY KEY, a, s AS (a || '!') STORED, z); INSERT INTO stored (a, z) VALUES ('p', 1), ('q', 2);
CREATE TABLE swap (id INTEGER PRIMARY KEY, u UNIQUE); INSERT INTO swap VALUES (1, 'a'), (2, 'b'), (3, 'c');
CREATE TABLE "odd ""name" (rowid TEXT, oid, "select" INTEGER, "t" PRIMARY KEY); INSERT INTO "odd ""name" VALUES ('r', 1, 2, 't');
CREATE TABLE hot (n); INSERT INTO hot VALUES (0);
CREATE TRIGGER heat AFTER UPDATE ON types BEGIN UPDATE hot SET n = n + 1; END;
CREATE TABLE ring_a (id INTEGER PRIMARY KEY, b REFERENCES ring_b (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE ring_b (id INTEGER PRIMARY KEY, a REFERENCES ring_a (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
BEGIN; INSERT INTO ring_a VALUES (1, 1); INSERT INTO ring_b VALUES (1, 1); COMMIT;
CREATE VIRTUAL TABLE notes USING fts5(body); INSERT INTO notes VALUES ('one'), ('two');
CREATE TABLE raw (id INTEGER PRIMARY KEY, v); INSERT INTO raw VALUES (1, CAST(x'ff41' AS TEXT));
CREATE TABLE hidden (rowid, oid, _rowid_); INSERT INTO hidden VALUES (1, 2, 3);
CREATE INDEX by_v ON nullkey (v); CREATE VIEW seen AS SELECT a FROM keyless;
