DROP FUNCTION IF EXISTS spread_labels(text[], text[], int4[], int8[], int8[], int8[], bool[], int4[], int8[], int8, int8);

DROP FUNCTION IF EXISTS pass_labels_on(int8[], int8, int8);

DROP FUNCTION IF EXISTS add_labels(text, text[], int4[], int8[], int8[], int8[]);

DROP FUNCTION IF EXISTS hold_labels(int8[], bool[]);

DROP TABLE IF EXISTS label_source;
