CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    call TEXT,
    at BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (at);

CREATE TABLE deliveries (
    webhook TEXT NOT NULL,
    event BIGINT NOT NULL,
    lane TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    due BIGINT NOT NULL,
    tried BIGINT,
    status BIGINT,
    failure TEXT,
    PRIMARY KEY (webhook, event)
) WITHOUT ROWID;
CREATE INDEX deliveries_pending ON deliveries (webhook, lane, event) WHERE state = 'pending';
CREATE INDEX deliveries_by_event ON deliveries (event);

CREATE TABLE disabled_webhooks (
    webhook TEXT PRIMARY KEY,
    since BIGINT NOT NULL
);
