-- Needs a superuser (or what a hosting provider offers in its place); without it, install again after DDL.
DROP EVENT TRIGGER IF EXISTS clearance_guard_ddl;
CREATE EVENT TRIGGER clearance_guard_ddl ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'IMPORT FOREIGN SCHEMA')
    EXECUTE FUNCTION clearance_guard.on_ddl();
ALTER EVENT TRIGGER clearance_guard_ddl ENABLE ALWAYS;
