-- Which rows came in since the biller last looked?
-- Fresh parts hold fresh rows only, so the smallest and largest `inserted_ms` of a granule skip nearly all others.
ALTER TABLE readings ADD INDEX readings_inserted inserted_ms TYPE minmax GRANULARITY 1;
ALTER TABLE pile_bill_uploads ADD INDEX uploads_inserted inserted_ms TYPE minmax GRANULARITY 1;
ALTER TABLE commands ADD INDEX commands_inserted inserted_ms TYPE minmax GRANULARITY 1;
ALTER TABLE tariff_acks ADD INDEX acks_inserted inserted_ms TYPE minmax GRANULARITY 1;
ALTER TABLE clock_offsets ADD INDEX offsets_inserted inserted_ms TYPE minmax GRANULARITY 1;
ALTER TABLE platform_outages ADD INDEX outages_inserted inserted_ms TYPE minmax GRANULARITY 1;
