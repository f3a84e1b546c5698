ALTER TABLE audit_record DROP COLUMN IF EXISTS trace;

ALTER TABLE audit_record DROP COLUMN IF EXISTS request_name;

ALTER TABLE audit_record DROP COLUMN IF EXISTS address;
