CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, email text UNIQUE, vip boolean DEFAULT false, region int);
CREATE TABLE orders (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE,
    total numeric(12, 2) NOT NULL, tax numeric GENERATED ALWAYS AS (total * 0.2) STORED, state text DEFAULT 'new');
CREATE TABLE lines (id serial PRIMARY KEY, "order" int REFERENCES orders ON DELETE CASCADE, what text, n int);
CREATE TABLE notes (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE SET NULL, body text);
CREATE TABLE flags (id int PRIMARY KEY, customer int DEFAULT 100 REFERENCES customers ON DELETE SET DEFAULT, flag text);
CREATE TABLE audit (at timestamptz DEFAULT now(), who text, what text);
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audit (who, what) VALUES (current_user, TG_OP || ' ' || OLD.id); RETURN NULL; END $$;
CREATE TRIGGER audited AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION audited();
INSERT INTO customers SELECT i, 'name ' || i, 'c' || i || '@example.org', i % 10 = 0, i % 4 FROM generate_series(1, 100) i;
INSERT INTO orders (customer, total) SELECT 1 + i % 100, i * 1.5 FROM generate_series(1, 1000) i;
INSERT INTO lines ("order", what, n) SELECT 1 + i % 1000, 'thing ' || i, i % 7 FROM generate_series(1, 3000) i;
INSERT INTO notes SELECT i, 1 + i % 100, 'note ' || i FROM generate_series(1, 300) i;
INSERT INTO flags SELECT i, 1 + i % 100, 'f' FROM generate_series(1, 100) i;

CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE CASCADE, label text);
INSERT INTO tree SELECT i, nullif(i / 2, 0), 'n' || i FROM generate_series(1, 127) i;

CREATE TABLE hens (id int PRIMARY KEY, egg int NOT NULL);
CREATE TABLE eggs (id int PRIMARY KEY, hen int NOT NULL REFERENCES hens ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE hens ADD FOREIGN KEY (egg) REFERENCES eggs ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
BEGIN; INSERT INTO hens SELECT i, i FROM generate_series(1, 20) i; INSERT INTO eggs SELECT i, i FROM generate_series(1, 20) i; COMMIT;

CREATE TABLE events (id int, kind int, body text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
CREATE TABLE events_2 (body text, junk int, kind int NOT NULL, id int NOT NULL);
ALTER TABLE events_2 DROP COLUMN junk;
ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES IN (2);
CREATE TABLE events_more PARTITION OF events FOR VALUES IN (3, 4) PARTITION BY LIST (kind);
CREATE TABLE events_3 PARTITION OF events_more FOR VALUES IN (3);
CREATE TABLE events_4 PARTITION OF events_more FOR VALUES IN (4);
INSERT INTO events SELECT i, 1 + i % 4, 'event ' || i FROM generate_series(1, 400) i;

CREATE TABLE loose (t text, n int, o int, a int, "select" text, "Odd Name" numeric);
INSERT INTO loose SELECT 'x' || i % 5, i % 3, NULL, i % 2, 's', 1.10 FROM generate_series(1, 60) i;

CREATE TABLE base (id int PRIMARY KEY, v text);
CREATE TABLE heir (extra int, PRIMARY KEY (id)) INHERITS (base);
INSERT INTO base SELECT i, 'b' FROM generate_series(1, 10) i;
INSERT INTO heir SELECT 100 + i, 'h', i FROM generate_series(1, 10) i;

CREATE TABLE stock (sku text PRIMARY KEY, n int NOT NULL CHECK (n >= 0), touched int DEFAULT 0);
INSERT INTO stock SELECT 'sku' || i, i, 0 FROM generate_series(1, 50) i;
CREATE FUNCTION touch_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE stock SET touched = touched + 1 WHERE sku = NEW.sku AND pg_trigger_depth() = 1; RETURN NULL; END $$;
CREATE TRIGGER touched AFTER UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION touch_stock();

CREATE TABLE soft (id int PRIMARY KEY, gone boolean DEFAULT false);
INSERT INTO soft SELECT i FROM generate_series(1, 50) i;
CREATE FUNCTION soften() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE soft SET gone = true WHERE id = OLD.id; RETURN NULL; END $$;
CREATE TRIGGER soften BEFORE DELETE ON soft FOR EACH ROW EXECUTE FUNCTION soften();

CREATE TABLE skipping (id int PRIMARY KEY, v int);
INSERT INTO skipping SELECT i, i FROM generate_series(1, 100) i;
CREATE FUNCTION skip_even() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF OLD.id % 2 = 0 THEN RETURN NULL; END IF; RETURN OLD; END $$;
CREATE TRIGGER skip_even BEFORE DELETE ON skipping FOR EACH ROW EXECUTE FUNCTION skip_even();

CREATE TABLE ruled (id int PRIMARY KEY, live boolean DEFAULT true);
INSERT INTO ruled SELECT i FROM generate_series(1, 40) i;
CREATE RULE soft AS ON DELETE TO ruled DO INSTEAD UPDATE ruled SET live = false WHERE id = OLD.id;

CREATE TABLE renamed (id int PRIMARY KEY, v text);
CREATE TABLE refers (id int PRIMARY KEY, renamed int REFERENCES renamed ON UPDATE CASCADE);
INSERT INTO renamed SELECT i, 'r' FROM generate_series(1, 10) i;
INSERT INTO refers SELECT i, 1 + i % 10 FROM generate_series(1, 30) i;

CREATE VIEW vips AS SELECT id, name, vip FROM customers WHERE vip;
CREATE FUNCTION purge(most int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE n int; BEGIN DELETE FROM customers WHERE id <= most; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
CREATE PROCEDURE bump(by int) LANGUAGE sql AS $$ UPDATE customers SET region = region + by WHERE id <= 5 $$;
