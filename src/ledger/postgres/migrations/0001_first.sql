-- Run with `search_path` set to the ledger's own schema. All tables are logged: what is committed survives a crash.
-- Instants are timestamptz, rounded up where nothing may be early. Names are compared by their bytes.
-- `row` is the whole delivery as JSON; `state`, `version`, `fence` and `owner` beside it are newer than those in it, since
-- a claim changes them alone.

CREATE TABLE meta (
    key   text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

-- Told apart from every other ledger, also from one that was made anew under the same name.
INSERT INTO meta (key, value) VALUES ('instance', replace(gen_random_uuid()::text, '-', ''));

-- How often somebody has rung. A sequence: nobody waits for anybody.
CREATE SEQUENCE rings;

CREATE TABLE accounts (
    name      text COLLATE "C" PRIMARY KEY,
    binding   text,
    last_sent timestamptz,
    limits    text,
    limits_at timestamptz,
    hold_off  timestamptz,
    hold_why  text
);

-- `*` stands for all accounts.
CREATE TABLE pauses (
    account text COLLATE "C" PRIMARY KEY,
    since   timestamptz NOT NULL,
    reason  text NOT NULL
);

-- Its account always has a row in `accounts`: that row is what a claim locks.
CREATE TABLE deliveries (
    id          text COLLATE "C" PRIMARY KEY,
    calendar    text COLLATE "C" NOT NULL,
    post        text COLLATE "C" NOT NULL,
    occurrence  text COLLATE "C" NOT NULL,
    account     text COLLATE "C" NOT NULL,
    network     text COLLATE "C" NOT NULL,
    due         timestamptz NOT NULL,
    ready       timestamptz NOT NULL,
    state       text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    fence       bigint NOT NULL,
    owner       text COLLATE "C",
    -- Set while the state is `claimed` or `sending`, in the database's time.
    lease_until timestamptz,
    row         text NOT NULL,
    seq         bigint GENERATED ALWAYS AS IDENTITY
);

CREATE INDEX deliveries_by_calendar ON deliveries (calendar, due, id);
CREATE INDEX deliveries_by_post ON deliveries (post);
-- Who is next on an account, and when.
CREATE INDEX deliveries_planned_due ON deliveries (account, due, id) WHERE state = 'planned';
CREATE INDEX deliveries_planned_ready ON deliveries (account, ready) WHERE state = 'planned';
-- Which accounts are busy, and whose leases there are.
CREATE INDEX deliveries_busy ON deliveries (account) WHERE state IN ('claimed', 'sending');

-- One row per attempt, never deleted: what was about to be sent, to whom. `open` until its outcome is known.
CREATE TABLE intents (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery   text COLLATE "C" NOT NULL REFERENCES deliveries (id),
    account    text COLLATE "C" NOT NULL,
    calendar   text COLLATE "C" NOT NULL,
    occurrence text COLLATE "C" NOT NULL,
    network    text COLLATE "C" NOT NULL,
    uid        text COLLATE "C" NOT NULL,
    part       integer NOT NULL,
    generation bigint NOT NULL,
    at         timestamptz NOT NULL,
    open       boolean NOT NULL,
    intent     text NOT NULL
);

CREATE INDEX intents_by_delivery ON intents (delivery, seq);
CREATE INDEX intents_by_account ON intents (account, at);
-- One attempt at a time to bring a part of an occurrence to an identity, whatever its account is called.
CREATE UNIQUE INDEX intents_open ON intents (calendar, occurrence, network, uid, part, generation) WHERE open;

-- What is out. The key keeps one occurrence from reaching one identity twice.
CREATE TABLE receipts (
    seq        bigint GENERATED ALWAYS AS IDENTITY,
    calendar   text COLLATE "C" NOT NULL,
    occurrence text COLLATE "C" NOT NULL,
    network    text COLLATE "C" NOT NULL,
    uid        text COLLATE "C" NOT NULL,
    part       integer NOT NULL,
    generation bigint NOT NULL,
    delivery   text COLLATE "C" NOT NULL REFERENCES deliveries (id),
    at         timestamptz NOT NULL,
    receipt    text NOT NULL,
    PRIMARY KEY (calendar, occurrence, network, uid, part, generation)
);

CREATE TABLE events (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    delivery text COLLATE "C" NOT NULL REFERENCES deliveries (id),
    kind     text NOT NULL,
    state    text NOT NULL,
    detail   text NOT NULL,
    actor    text NOT NULL
);

CREATE INDEX events_by_delivery ON events (delivery, seq);

CREATE FUNCTION is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER events_are_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON events EXECUTE FUNCTION is_kept();
CREATE TRIGGER intents_are_kept BEFORE DELETE OR TRUNCATE ON intents EXECUTE FUNCTION is_kept();

CREATE TABLE calendars (
    name       text COLLATE "C" PRIMARY KEY,
    first_seen timestamptz
);

CREATE TABLE series (
    calendar  text COLLATE "C" NOT NULL REFERENCES calendars (name),
    name      text COLLATE "C" NOT NULL,
    rule      text NOT NULL,
    watermark timestamp NOT NULL,
    PRIMARY KEY (calendar, name)
);

-- Which of a series' texts an occurrence has, in the order in which they were settled.
CREATE TABLE variations (
    seq        bigint GENERATED ALWAYS AS IDENTITY,
    calendar   text COLLATE "C" NOT NULL,
    series     text COLLATE "C" NOT NULL,
    occurrence text COLLATE "C" NOT NULL,
    variation  bigint NOT NULL,
    PRIMARY KEY (calendar, occurrence)
);

CREATE INDEX variations_by_series ON variations (calendar, series, seq);

CREATE TABLE posts (
    calendar text COLLATE "C" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    post     text NOT NULL,
    PRIMARY KEY (calendar, id)
);

-- What a person has to be told.
CREATE TABLE alerts (
    seq      bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    key      text COLLATE "C" PRIMARY KEY,
    at       timestamptz NOT NULL,
    tell_at  timestamptz NOT NULL,
    delivery text COLLATE "C",
    kind     text NOT NULL,
    message  text NOT NULL,
    help     text NOT NULL
);

CREATE INDEX alerts_by_delivery ON alerts (delivery);

-- Who is told, and since when.
CREATE TABLE targets (
    name  text COLLATE "C" PRIMARY KEY,
    since timestamptz NOT NULL
);

-- How telling went. No row: not tried yet.
CREATE TABLE tellings (
    alert    text COLLATE "C" NOT NULL REFERENCES alerts (key) ON DELETE CASCADE,
    target   text COLLATE "C" NOT NULL,
    attempts bigint NOT NULL,
    again    timestamptz NOT NULL,
    told_at  timestamptz,
    error    text,
    PRIMARY KEY (target, alert)
);
