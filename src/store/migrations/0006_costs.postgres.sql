CREATE TABLE call_costs (
    call TEXT COLLATE "C" NOT NULL,
    currency TEXT NOT NULL,
    billionths BIGINT NOT NULL,
    PRIMARY KEY (call, currency)
);
