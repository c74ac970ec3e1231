CREATE TABLE migrations (version BIGINT PRIMARY KEY, sum TEXT NOT NULL, done BIGINT NOT NULL);

CREATE TABLE calls (
    number BIGSERIAL PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    stamp BIGINT NOT NULL,
    direction TEXT NOT NULL,
    status TEXT NOT NULL,
    cause TEXT NOT NULL,
    caller TEXT NOT NULL,
    callee TEXT NOT NULL,
    trunk TEXT NOT NULL,
    route TEXT NOT NULL,
    lasted BIGINT NOT NULL,
    brief TEXT NOT NULL,
    record TEXT NOT NULL,
    words TSVECTOR
);
CREATE INDEX calls_by_direction ON calls (direction, id);
CREATE INDEX calls_by_status ON calls (status, id);
CREATE INDEX calls_by_cause ON calls (cause, id);
CREATE INDEX calls_by_caller ON calls (caller, id);
CREATE INDEX calls_by_callee ON calls (callee, id);
CREATE INDEX calls_by_trunk ON calls (trunk, id);
CREATE INDEX calls_by_words ON calls USING GIN (words);

CREATE TABLE call_agents (
    agent TEXT NOT NULL,
    call TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (agent, call)
);
CREATE INDEX call_agents_by_call ON call_agents (call);

CREATE TABLE legs (
    call TEXT COLLATE "C" NOT NULL,
    place BIGINT NOT NULL,
    sip_call_id TEXT NOT NULL,
    peer TEXT NOT NULL,
    callee TEXT,
    codec TEXT,
    start_ms BIGINT,
    answered_ms BIGINT,
    ended_ms BIGINT,
    cause TEXT,
    PRIMARY KEY (call, place)
);
CREATE INDEX legs_by_sip_call_id ON legs (sip_call_id);

CREATE TABLE turns (
    call TEXT COLLATE "C" NOT NULL,
    turn BIGINT NOT NULL,
    stt TEXT,
    llm TEXT,
    tts TEXT,
    speech_ended_ms BIGINT,
    transcript_ms BIGINT,
    committed_ms BIGINT,
    first_delta_ms BIGINT,
    first_clause_ms BIGINT,
    first_audio_ms BIGINT,
    first_packet_ms BIGINT,
    PRIMARY KEY (call, turn)
);

CREATE TABLE tool_calls (
    call TEXT COLLATE "C" NOT NULL,
    place BIGINT NOT NULL,
    name TEXT NOT NULL,
    at_ms BIGINT,
    outcome TEXT,
    took_ms BIGINT,
    PRIMARY KEY (call, place)
);
