-- Instants are integer microseconds since 1970-01-01T00:00:00Z. Civil times are text.
-- The columns of `deliveries` serve queries; `row` is the whole delivery as JSON and the truth. Both are written by one
-- function, so they agree.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Told apart from every other ledger, also from a copy that was restored under another name.
INSERT INTO meta (key, value) VALUES ('instance', lower(hex(randomblob(16))));

CREATE TABLE deliveries (
    id         TEXT PRIMARY KEY,
    calendar   TEXT NOT NULL,
    post       TEXT NOT NULL,
    occurrence TEXT NOT NULL,
    account    TEXT NOT NULL,
    network    TEXT NOT NULL,
    origin     TEXT NOT NULL,
    due        INTEGER NOT NULL,
    not_before INTEGER,
    ready      INTEGER NOT NULL,
    state      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    fence      INTEGER NOT NULL,
    owner      TEXT,
    row        TEXT NOT NULL
) STRICT;

CREATE INDEX deliveries_by_calendar ON deliveries (calendar, due, id);
CREATE INDEX deliveries_by_post ON deliveries (post);
-- Who is next on an account, and when.
CREATE INDEX deliveries_planned_due ON deliveries (account, due, id) WHERE state = 'planned';
CREATE INDEX deliveries_planned_ready ON deliveries (account, ready) WHERE state = 'planned';
-- Which accounts are busy.
CREATE INDEX deliveries_busy ON deliveries (account) WHERE state IN ('claimed', 'sending');

-- One row per attempt, never deleted: what was about to be sent, to whom. `open` is 1 until its outcome is known.
CREATE TABLE intents (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery   TEXT NOT NULL REFERENCES deliveries (id),
    calendar   TEXT NOT NULL,
    occurrence TEXT NOT NULL,
    network    TEXT NOT NULL,
    uid        TEXT NOT NULL,
    part       INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    key        TEXT NOT NULL,
    at         INTEGER NOT NULL,
    open       INTEGER NOT NULL,
    intent     TEXT NOT NULL
) STRICT;

CREATE INDEX intents_by_delivery ON intents (delivery, seq);
CREATE INDEX intents_open ON intents (calendar, occurrence, network, uid, part, generation) WHERE open = 1;

-- What is out. The key keeps one occurrence from reaching one identity twice, whatever its account is called.
CREATE TABLE receipts (
    calendar   TEXT NOT NULL,
    occurrence TEXT NOT NULL,
    network    TEXT NOT NULL,
    uid        TEXT NOT NULL,
    part       INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    delivery   TEXT NOT NULL REFERENCES deliveries (id),
    at         INTEGER NOT NULL,
    receipt    TEXT NOT NULL,
    PRIMARY KEY (calendar, occurrence, network, uid, part, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    delivery TEXT NOT NULL REFERENCES deliveries (id),
    kind     TEXT NOT NULL,
    state    TEXT NOT NULL,
    detail   TEXT NOT NULL,
    actor    TEXT NOT NULL
) STRICT;

CREATE INDEX events_by_delivery ON events (delivery, seq);

CREATE TRIGGER events_are_kept BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'events are never deleted'); END;
CREATE TRIGGER events_are_fixed BEFORE UPDATE ON events BEGIN SELECT raise(ABORT, 'events are never changed'); END;
CREATE TRIGGER intents_are_kept BEFORE DELETE ON intents BEGIN SELECT raise(ABORT, 'intents are never deleted'); END;

CREATE TABLE calendars (
    name       TEXT PRIMARY KEY,
    first_seen INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
    calendar  TEXT NOT NULL REFERENCES calendars (name),
    name      TEXT NOT NULL,
    rule      TEXT NOT NULL,
    watermark TEXT NOT NULL,
    PRIMARY KEY (calendar, name)
) STRICT, WITHOUT ROWID;

-- Which of a series' texts an occurrence has, in the order in which they were settled.
CREATE TABLE variations (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    calendar   TEXT NOT NULL,
    series     TEXT NOT NULL,
    occurrence TEXT NOT NULL,
    variation  INTEGER NOT NULL,
    UNIQUE (calendar, occurrence)
) STRICT;

CREATE INDEX variations_by_series ON variations (calendar, series, seq);

CREATE TABLE accounts (
    name      TEXT PRIMARY KEY,
    binding   TEXT,
    last_sent INTEGER,
    limits    TEXT,
    limits_at INTEGER
) STRICT, WITHOUT ROWID;

-- `*` stands for all accounts.
CREATE TABLE pauses (
    account TEXT PRIMARY KEY,
    since   INTEGER NOT NULL,
    reason  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE posts (
    calendar TEXT NOT NULL,
    id       TEXT NOT NULL,
    post     TEXT NOT NULL,
    PRIMARY KEY (calendar, id)
) STRICT, WITHOUT ROWID;
