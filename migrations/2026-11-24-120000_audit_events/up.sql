-- The trail is read by patient and in the order of time, which the ids of records have.
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_record_patient ON audit_record (patient, id) WHERE patient IS NOT NULL;
