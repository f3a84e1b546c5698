DROP TABLE IF EXISTS break_glass;
