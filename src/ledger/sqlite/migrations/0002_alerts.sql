-- Nothing is claimed for an account before `hold_off`.
ALTER TABLE accounts ADD COLUMN hold_off INTEGER;
ALTER TABLE accounts ADD COLUMN hold_why TEXT;

-- How many posts an account has begun lately.
ALTER TABLE intents ADD COLUMN account TEXT NOT NULL DEFAULT '';
UPDATE intents SET account = (SELECT account FROM deliveries WHERE id = intents.delivery);
CREATE INDEX intents_begun ON intents (account, at, delivery) WHERE part = 0;

-- What a person has to be told. A key is there once; a row goes only when it is withdrawn before it was to be told.
CREATE TABLE alerts (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    key      TEXT NOT NULL UNIQUE,
    at       INTEGER NOT NULL,
    tell_at  INTEGER NOT NULL,
    delivery TEXT,
    kind     TEXT NOT NULL,
    message  TEXT NOT NULL,
    help     TEXT NOT NULL
) STRICT;

CREATE INDEX alerts_by_delivery ON alerts (delivery, seq) WHERE delivery IS NOT NULL;

-- Whom to tell. `since`: nothing that was raised before; `made`: there is an errand for each alert up to this one.
CREATE TABLE targets (
    name  TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    made  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An alert on its way to one target. `again`: not handed out before.
CREATE TABLE errands (
    target   TEXT NOT NULL REFERENCES targets (name),
    alert    INTEGER NOT NULL REFERENCES alerts (seq) ON DELETE CASCADE,
    attempts INTEGER NOT NULL,
    again    INTEGER NOT NULL,
    told_at  INTEGER,
    error    TEXT,
    PRIMARY KEY (target, alert)
) STRICT, WITHOUT ROWID;

CREATE INDEX errands_by_alert ON errands (alert);
CREATE INDEX errands_open ON errands (target, again) WHERE told_at IS NULL;
