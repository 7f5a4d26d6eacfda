CREATE TABLE IF NOT EXISTS users (
    id INT PRIMARY KEY AUTO_INCREMENT, email VARCHAR(60) NOT NULL UNIQUE, name VARCHAR(40), code INT UNIQUE,
    shout VARCHAR(50) AS (UPPER(name)) STORED
);
CREATE TABLE IF NOT EXISTS orders (
    id INT PRIMARY KEY AUTO_INCREMENT, user_id INT NOT NULL, total DECIMAL(10, 2),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS items (
    order_id INT, line INT, sku VARCHAR(20), PRIMARY KEY (order_id, line),
    FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS notes (
    id INT PRIMARY KEY, order_id INT NULL, body TEXT,
    FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE SET NULL
);
CREATE TABLE IF NOT EXISTS badges (
    id INT PRIMARY KEY, user_code INT,
    FOREIGN KEY (user_code) REFERENCES users (code) ON UPDATE CASCADE ON DELETE SET NULL
);
CREATE TABLE IF NOT EXISTS folders (
    id INT PRIMARY KEY, parent INT NULL, FOREIGN KEY (parent) REFERENCES folders (id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS keyless (a INT, b INT);
CREATE TABLE IF NOT EXISTS old (id INT PRIMARY KEY, a INT) ENGINE=MyISAM;
CREATE TABLE IF NOT EXISTS watched (id INT PRIMARY KEY, a INT);
CREATE TABLE IF NOT EXISTS log (a INT);
CREATE TRIGGER IF NOT EXISTS watch AFTER UPDATE ON watched FOR EACH ROW INSERT INTO log VALUES (NEW.a);
SET foreign_key_checks = 0;
DELETE FROM users;
DELETE FROM orders;
DELETE FROM items;
DELETE FROM notes;
DELETE FROM badges;
DELETE FROM folders;
DELETE FROM keyless;
DELETE FROM old;
DELETE FROM watched;
DELETE FROM log;
DROP VIEW IF EXISTS outer_view, inner_view, seen;
DROP FUNCTION IF EXISTS own;
SET foreign_key_checks = 1;
INSERT INTO users (id, email, name, code) VALUES
    (1, 'a@x', 'Ann', 11), (2, 'b@x', 'Bob', 12), (3, 'c@x', 'Cid', 13), (4, 'd@x', NULL, 14), (0, 'z@x', 'Zoe', 10);
INSERT INTO orders (id, user_id, total) VALUES (1, 1, 5), (2, 1, 6), (3, 2, 7), (4, 3, 8), (5, 0, 9);
INSERT INTO items VALUES (1, 1, 'p'), (1, 2, 'q'), (2, 1, 'r'), (3, 1, 's'), (5, 1, 't');
INSERT INTO notes VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three'), (4, NULL, 'four');
INSERT INTO badges VALUES (1, 11), (2, 11), (3, 12);
INSERT INTO folders VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, NULL), (6, 5);
INSERT INTO keyless VALUES (1, 1), (1, 1), (2, 2);
INSERT INTO old VALUES (1, 1), (2, 2);
INSERT INTO watched VALUES (1, 1), (2, 2);
