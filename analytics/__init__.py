"""The ClickHouse schema, the run of the calculator over complete sessions, and the SQL for bills and anomalies."""
