DROP TABLE IF EXISTS audit_archive;

DROP TABLE IF EXISTS audit_head;

DROP TABLE IF EXISTS audit_node;

DROP TABLE IF EXISTS audit_batch;

DROP INDEX IF EXISTS audit_record_transaction;

ALTER TABLE audit_record DROP COLUMN IF EXISTS address;

ALTER TABLE audit_record DROP COLUMN IF EXISTS transaction;
