DROP INDEX IF EXISTS audit_record_patient;
