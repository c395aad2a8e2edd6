-- What may become of an order to a charger? Also that a newer one of its kind takes its place while it waits.
ALTER TABLE commands COMMENT COLUMN outcome 'ok, refused, timeout, connection_lost, replaced (by a newer order of its kind)';
