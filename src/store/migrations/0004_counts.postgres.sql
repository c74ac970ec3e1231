ALTER TABLE calls ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN began BIGINT;
ALTER TABLE calls ADD COLUMN waited BIGINT;
UPDATE calls SET began = round(extract(epoch FROM (brief::json ->> 'started_at')::timestamptz) * 1000)::bigint
    WHERE brief::json ->> 'started_at' ~ '^2[0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9][.][0-9]{3}Z$';
UPDATE calls SET waited = greatest(0,
        round(extract(epoch FROM (brief::json ->> 'answered_at')::timestamptz) * 1000)::bigint - began)
    WHERE brief::json ->> 'answered_at' ~ '^2[0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9][.][0-9]{3}Z$';
CREATE INDEX calls_by_tenant ON calls (tenant, id);
CREATE INDEX calls_by_time ON calls (began, direction, status, cause, trunk, tenant, route, lasted, waited, id);
