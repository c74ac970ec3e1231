CREATE TABLE requests (
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    sum TEXT NOT NULL,
    at BIGINT NOT NULL,
    answer TEXT,
    PRIMARY KEY (owner, name)
);
CREATE INDEX requests_by_time ON requests (at);
