-- Something of it is out, or may be: what is left of it is no new post, however late it is.
ALTER TABLE deliveries ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET frozen = 1
WHERE json_array_length(row, '$.receipts') > 0 OR json_type(row, '$.intent') = 'object';

-- Who is next of all accounts.
CREATE INDEX deliveries_next ON deliveries (due, id) WHERE state = 'planned';
-- There are few of these.
CREATE INDEX deliveries_planned_frozen ON deliveries (account, due, id) WHERE state = 'planned' AND frozen = 1;
