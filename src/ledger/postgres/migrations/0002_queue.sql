-- Something of it is out, or may be: what is left of it is no new post, however late it is.
ALTER TABLE deliveries ADD COLUMN frozen boolean NOT NULL DEFAULT false;
UPDATE deliveries SET frozen = true
WHERE coalesce(json_array_length(row::json -> 'receipts'), 0) > 0
    OR coalesce(json_typeof(row::json -> 'intent'), 'null') <> 'null';

-- Who is next of all accounts. Every row has a version: what asks for one account does not say so, and is not led here.
CREATE INDEX deliveries_next ON deliveries (due, id) WHERE state = 'planned' AND version > 0;
-- There are few of these.
CREATE INDEX deliveries_planned_frozen ON deliveries (account, due, id) WHERE state = 'planned' AND frozen;
