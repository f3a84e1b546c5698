-- Where a request came from, and what it is called there.
ALTER TABLE audit_record ADD COLUMN IF NOT EXISTS address text;

ALTER TABLE audit_record ADD COLUMN IF NOT EXISTS request_name text;

ALTER TABLE audit_record ADD COLUMN IF NOT EXISTS trace text;
