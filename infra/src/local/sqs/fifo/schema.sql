-- What FIFO queues are kept in. Read whenever a file is opened.

PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;

-- `visible_ms` is when a message can be received (again). It is 0 until the first time, so that `in_flight` holds only
-- messages that were received, and sending does not write to it. Numbers are never used twice: a receipt that outlives
-- its message cannot mean another one.
CREATE TABLE IF NOT EXISTS message (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    group_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    sent_ms INTEGER NOT NULL,
    received INTEGER NOT NULL DEFAULT 0,
    first_received_ms INTEGER,
    visible_ms INTEGER NOT NULL DEFAULT 0,
    source_arn TEXT,
    trace_header TEXT,
    attributes TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS message_order ON message (queue, group_id, sequence);
CREATE INDEX IF NOT EXISTS message_age ON message (queue, sent_ms);
CREATE INDEX IF NOT EXISTS in_flight ON message (queue, group_id, visible_ms) WHERE visible_ms > 0;

-- Each group that has messages, with the number of its oldest.
CREATE TABLE IF NOT EXISTS message_group (
    queue TEXT NOT NULL,
    group_id TEXT NOT NULL,
    oldest INTEGER,
    PRIMARY KEY (queue, group_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS group_order ON message_group (queue, oldest);
CREATE TRIGGER IF NOT EXISTS message_came AFTER INSERT ON message BEGIN
    INSERT INTO message_group VALUES (new.queue, new.group_id, new.sequence) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER IF NOT EXISTS message_went AFTER DELETE ON message BEGIN
    UPDATE message_group SET oldest = (
        SELECT sequence FROM message WHERE queue = old.queue AND group_id = old.group_id ORDER BY sequence LIMIT 1
    ) WHERE queue = old.queue AND group_id = old.group_id AND oldest = old.sequence;
    DELETE FROM message_group WHERE queue = old.queue AND group_id = old.group_id AND oldest IS NULL;
END;

-- What duplicates are answered with. `scope` is the group in which a deduplication id counts, or empty.
CREATE TABLE IF NOT EXISTS accepted (
    queue TEXT NOT NULL,
    scope TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, scope, deduplication_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS accepted_age ON accepted (sent_ms);

-- Whoever had received a message died with the process.
UPDATE message SET visible_ms = 0 WHERE visible_ms > 0;
