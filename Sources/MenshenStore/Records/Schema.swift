// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import SQLite

/// The tables. Steps are only ever added; `contrib/manual/database.md` describes the result.
enum Schema {
    /// "mnsn": tells our files from other programs' (`PRAGMA application_id`).
    static let applicationID: Int64 = 0x6d6e_736e

    static let migrator = Migrator([
        .init("1 requests, attempts, bodies", tables),
        .init("2 request_log", log(usage: "", sequenceBits: 12)),
        .init("3 usage", usage),
        .init("4 ids until 2255", shorterSequence),
        .init("5 routing, cache", routing),
        .init("6 journal", journal),
        .init("7 clients, facts of cost", clients),
        .init("8 cost", cost),
        .init("9 roll-ups", rollUps),
        .init("10 chain", chain),
        .init("11 saved", saved),
        .init("12 gaps", gaps),
    ])

    private static let tables = """
        CREATE TABLE requests (
            id INTEGER PRIMARY KEY,
            caller_uid INTEGER,
            caller_pid INTEGER,
            caller_exe TEXT,
            caller_unit TEXT,
            token_name TEXT,
            peer_address TEXT,
            method TEXT,
            path TEXT,
            dialect TEXT,
            provider TEXT,
            model TEXT,
            stream INTEGER,
            status INTEGER,
            end_state TEXT NOT NULL,
            problem TEXT,
            attempts INTEGER NOT NULL DEFAULT 0,
            ttfb_us INTEGER,
            total_us INTEGER,
            bytes_in INTEGER,
            bytes_out INTEGER,
            count INTEGER NOT NULL DEFAULT 1
        ) STRICT;
        CREATE TABLE attempts (
            request_id INTEGER NOT NULL,
            n INTEGER NOT NULL,
            provider TEXT NOT NULL,
            status INTEGER,
            reason TEXT NOT NULL,
            started_us INTEGER NOT NULL,
            ended_us INTEGER NOT NULL,
            PRIMARY KEY (request_id, n)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE bodies (
            request_id INTEGER NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('request', 'response')),
            bytes BLOB NOT NULL,
            PRIMARY KEY (request_id, kind)
        ) STRICT;
        CREATE TABLE bookmarks (
            name TEXT PRIMARY KEY NOT NULL,
            id INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO bookmarks VALUES ('settled_below', 0);
        """

    /// What the answer says of itself, and of what it cost.
    private static let usage = """
        ALTER TABLE requests ADD COLUMN operation TEXT;
        ALTER TABLE requests ADD COLUMN end_user TEXT;
        ALTER TABLE requests ADD COLUMN answer_model TEXT;
        ALTER TABLE requests ADD COLUMN service_tier TEXT;
        ALTER TABLE requests ADD COLUMN finish_reason TEXT;
        ALTER TABLE requests ADD COLUMN messages_in INTEGER;
        ALTER TABLE requests ADD COLUMN messages_out INTEGER;
        ALTER TABLE requests ADD COLUMN usage_state TEXT;
        ALTER TABLE requests ADD COLUMN input_total INTEGER;
        ALTER TABLE requests ADD COLUMN input_uncached INTEGER;
        ALTER TABLE requests ADD COLUMN cache_read INTEGER;
        ALTER TABLE requests ADD COLUMN cache_write_5m INTEGER;
        ALTER TABLE requests ADD COLUMN cache_write_1h INTEGER;
        ALTER TABLE requests ADD COLUMN output_total INTEGER;
        ALTER TABLE requests ADD COLUMN reasoning INTEGER;
        ALTER TABLE requests ADD COLUMN audio_in INTEGER;
        ALTER TABLE requests ADD COLUMN audio_out INTEGER;
        ALTER TABLE requests ADD COLUMN image_in INTEGER;
        ALTER TABLE requests ADD COLUMN image_out INTEGER;
        ALTER TABLE requests ADD COLUMN seconds REAL;
        ALTER TABLE requests ADD COLUMN usage_other TEXT;
        ALTER TABLE requests ADD COLUMN usage_raw TEXT;
        DROP VIEW request_log;
        \(log(usage: usageColumns, sequenceBits: 12))
        """

    /// Which key was used and which model asked for in a try, and what the cache had to do with a request.
    private static let routing = """
        ALTER TABLE attempts ADD COLUMN key_n INTEGER;
        ALTER TABLE attempts ADD COLUMN model TEXT;
        ALTER TABLE requests ADD COLUMN cache TEXT;
        ALTER TABLE requests ADD COLUMN cache_source INTEGER;
        ALTER TABLE requests ADD COLUMN saved_input INTEGER;
        ALTER TABLE requests ADD COLUMN saved_output INTEGER;
        """

    /// How far the journal was read for records that only it has: a cursor, which no change of the clock moves.
    private static let journal = """
        ALTER TABLE bookmarks ADD COLUMN position TEXT;
        INSERT INTO bookmarks (name, id) VALUES ('journal', 0);
        """

    /// Who says who asked, and what cost depends on. A cache write is one number with one lifetime; the numbers of several
    /// stand in `usage_other`. The columns of the two lifetimes that there were get other names, so no table is written anew.
    private static let clients = """
        ALTER TABLE requests ADD COLUMN caller_job TEXT;
        ALTER TABLE requests ADD COLUMN caller_project TEXT;
        ALTER TABLE requests ADD COLUMN rule TEXT;
        ALTER TABLE requests ADD COLUMN client TEXT;
        ALTER TABLE requests ADD COLUMN session TEXT;
        ALTER TABLE requests ADD COLUMN agent TEXT;
        ALTER TABLE requests ADD COLUMN asked_tier TEXT;
        ALTER TABLE requests ADD COLUMN speed TEXT;
        ALTER TABLE requests ADD COLUMN inference_geo TEXT;
        ALTER TABLE requests ADD COLUMN stated_cost INTEGER;
        UPDATE requests SET
            cache_write_5m = coalesce(cache_write_5m, 0) + coalesce(cache_write_1h, 0),
            cache_write_1h = CASE WHEN cache_write_5m > 0 AND cache_write_1h > 0 THEN NULL
                WHEN cache_write_5m > 0 THEN 300 WHEN cache_write_1h > 0 THEN 3600 END,
            usage_other = CASE WHEN cache_write_5m > 0 AND cache_write_1h > 0
                THEN json_set(CASE WHEN json_valid(usage_other) THEN usage_other ELSE '{}' END,
                    '$.cache_write_5m', cache_write_5m, '$.cache_write_1h', cache_write_1h)
                ELSE usage_other END
            WHERE cache_write_5m IS NOT NULL OR cache_write_1h IS NOT NULL;
        UPDATE requests SET cache_write_5m = json_extract(usage_other, '$.cache_write_tokens'),
            usage_other = nullif(json_remove(usage_other, '$.cache_write_tokens'), '{}')
            WHERE CASE WHEN json_valid(usage_other)
                THEN json_extract(usage_other, '$.cache_write_tokens') END IS NOT NULL;
        ALTER TABLE requests RENAME COLUMN cache_write_5m TO cache_write;
        ALTER TABLE requests RENAME COLUMN cache_write_1h TO cache_write_ttl;
        """

    /// What a request cost, and by which prices.
    private static let cost = """
        ALTER TABLE requests ADD COLUMN cost INTEGER;
        ALTER TABLE requests ADD COLUMN cost_state TEXT;
        ALTER TABLE requests ADD COLUMN cost_reason TEXT;
        ALTER TABLE requests ADD COLUMN price_version TEXT;
        DROP VIEW request_log;
        \(log(usage: usageColumns + " cost / 1e12 AS cost_usd, cost_state,", sequenceBits: 10))
        """

    /// What roll-ups, which are in a file of their own, have to know: whose they are, and how often rows of a slot were written
    /// after it was over.
    private static let rollUps = """
        CREATE TABLE late (
            slot INTEGER PRIMARY KEY,
            version INTEGER NOT NULL
        ) STRICT;
        INSERT INTO bookmarks (name, id) VALUES ('identity', abs(random() % 4611686018427387904));
        """

    /// See `ChainEntry`. The hash stands before what may be long.
    private static let chain = """
        CREATE TABLE chain (
            seq INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            act TEXT NOT NULL,
            hash BLOB NOT NULL,
            rows BLOB NOT NULL
        ) STRICT;
        """

    private static let saved = "ALTER TABLE requests ADD COLUMN saved INTEGER"

    /// See `RecordGap`.
    private static let gaps = """
        CREATE TABLE gaps (
            since INTEGER PRIMARY KEY,
            until INTEGER NOT NULL,
            missing INTEGER NOT NULL,
            reason TEXT NOT NULL
        ) STRICT;
        """

    private static let usageColumns = "input_total AS input, cache_read AS cached, output_total AS output, usage_state,"

    /// An id's sequence had 12 bits, which would have left room for time until 2041.
    private static let shorterSequence = """
        UPDATE OR REPLACE requests SET id = ((id >> 12) << 10) | (id & 1023);
        UPDATE OR REPLACE attempts SET request_id = ((request_id >> 12) << 10) | (request_id & 1023);
        UPDATE OR REPLACE bodies SET request_id = ((request_id >> 12) << 10) | (request_id & 1023);
        UPDATE bookmarks SET id = 0;
        DROP VIEW request_log;
        \(log(usage: usageColumns, sequenceBits: 10))
        """

    private static func log(usage: String, sequenceBits: Int) -> String {
        """
        CREATE VIEW request_log AS SELECT
            strftime('%Y-%m-%d %H:%M:%f', (id >> \(sequenceBits)) / 1e6, 'unixepoch', 'localtime') AS started,
            \(textID) AS request_id,
            coalesce(token_name, caller_unit, caller_exe, 'uid ' || caller_uid, peer_address) AS caller,
            method, path, provider, model, status, end_state, problem, attempts,
            \(usage)
            round(ttfb_us / 1e3, 1) AS ttfb_ms, round(total_us / 1e3, 1) AS total_ms, bytes_in, bytes_out, count, id
        FROM requests;
        """
    }

    /// The 13 characters that callers see as `x-menshen-request-id`.
    private static var textID: String {
        stride(from: 60, through: 0, by: -5)
            .map { "substr('0123456789abcdefghjkmnpqrstvwxyz', ((id >> \($0)) & 31) + 1, 1)" }
            .joined(separator: " || ")
    }
}
