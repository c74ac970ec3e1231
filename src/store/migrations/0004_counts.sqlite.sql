ALTER TABLE calls ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN began BIGINT;
ALTER TABLE calls ADD COLUMN waited BIGINT;
UPDATE calls SET
    began = CAST(round((julianday(json_extract(brief, '$.started_at')) - 2440587.5) * 86400000) AS INTEGER),
    waited = max(0, CAST(round((julianday(json_extract(brief, '$.answered_at'))
        - julianday(json_extract(brief, '$.started_at'))) * 86400000) AS INTEGER))
    WHERE json_valid(brief);
CREATE INDEX calls_by_tenant ON calls (tenant, id);
CREATE INDEX calls_by_time ON calls (began, direction, status, cause, trunk, tenant, route, lasted, waited, id);
