#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors

"""Fills a database of menshen's with made-up requests that look like a team's: people and agents in sessions, scripts by
token, office hours, a few failures, a few models without a price.

    records.py DATABASE [--rows 10000000] [--days 90] [--seed 1] [--until SECONDS]

DATABASE is a file that menshen has made (start it once); no menshen may use it meanwhile. Existing rows stay.
The same arguments make the same rows. The chain of hashes begins anew behind them, with the next start.
"""

import argparse
import math
import random
import sqlite3
import sys
import time

# Model, provider, price in dollars for a million tokens: input, cached, cache write, output. None: not known.
MODELS = [
    ("claude-sonnet-5-5", "anthropic", "messages", (3.0, 0.3, 3.75, 15.0), 30),
    ("claude-opus-5-5", "anthropic", "messages", (4.0, 0.2, 5.0, 20.0), 16),
    ("claude-haiku-5-5", "anthropic", "messages", (0.8, 0.08, 1.0, 4.0), 12),
    ("gpt-6.2-sol", "openai", "responses", (1.25, 0.125, 1.25, 10.0), 22),
    ("gpt-6-luna", "openai", "chat", (0.25, 0.025, 0.25, 2.0), 18),
    ("gpt-6.3-preview", "openai", "chat", None, 1),
    ("text-embedding-4-small", "openai", "embeddings", (0.02, 0.02, 0.02, 0.0), 4),
    ("gemini-3.8-flash", "gemini", "generate", (0.3, 0.03, 0.3, 2.5), 12),
    ("anthropic/claude-opus-5-5-20261001-v1:0", "openrouter", "chat", (4.0, 0.2, 5.0, 20.0), 3),
    ("qwen3-32b", "local", "chat", (0.0, 0.0, 0.0, 0.0), 6),
]
AGENTS = [("claude-code", "/usr/bin/claude"), ("codex", "/usr/bin/codex"), ("opencode", "/usr/local/bin/opencode"),
          ("zed", "/usr/bin/zed")]
PROJECTS = ["atlas", "harbor", "site", "menshen-try", "billing", "search", "docs", "infra"]
COLUMNS = [
    "id", "caller_uid", "caller_pid", "caller_exe", "caller_unit", "caller_project", "token_name", "rule", "peer_address",
    "method", "path", "dialect", "provider", "model", "stream", "operation", "client", "session", "agent",
    "answer_model", "finish_reason", "status", "end_state", "problem", "attempts", "ttfb_us", "total_us", "bytes_in",
    "bytes_out", "usage_state", "input_total", "input_uncached", "cache_read", "cache_write", "cache_write_ttl",
    "output_total", "reasoning", "usage_raw", "cost", "cost_state", "cost_reason", "price_version", "saved", "count",
]


class Session:
    """What all requests of a conversation, or of a script, have in common."""

    def __init__(self, chance, number):
        self.left = max(1, int(chance.lognormvariate(3.2, 1.0)))
        if chance.random() < 0.62:
            uid = 5000 + min(24, int(chance.expovariate(0.18)))
            self.client, program = AGENTS[min(3, int(chance.expovariate(1.1)))]
            self.caller = (uid, chance.randrange(2000, 60000), program, f"session-{uid % 40}.scope",
                           f"/home/u{uid}/{chance.choice(PROJECTS)}", None, "unix", "unix")
            self.session = f"{chance.getrandbits(128):032x}"
            self.agent = f"sub-{chance.randrange(4)}" if chance.random() < 0.2 else None
            self.models = chance.choices(MODELS[:5], [entry[4] for entry in MODELS[:5]], k=2)
            self.size = chance.lognormvariate(10.8, 0.7)
            self.cached = 0.9
        else:
            token = f"{['ci', 'evals', 'laptop', 'batch', 'web', 'bot'][number % 6]}"
            self.client, self.session, self.agent = chance.choice(["openai-python", "anthropic-python", "curl"]), None, None
            self.caller = (None, None, None, None, None, token, "token", f"127.0.0.1:{chance.randrange(30000, 60000)}")
            self.models = chance.choices(MODELS, [entry[4] for entry in MODELS], k=1)
            self.size = chance.lognormvariate(8.0, 1.0)
            self.cached = 0.3
            self.left *= 4


def weight(second):
    """How busy a moment is: office hours, less at weekends."""
    hour, weekday = second // 3600 % 24, (second // 86400 + 3) % 7
    return (0.12 + max(0.0, math.sin((hour - 6) / 14 * math.pi)) ** 1.5) * (0.3 if weekday > 4 else 1.0)


def row(chance, identifier, session):
    name, provider, operation, price, _ = session.models[0] if chance.random() < 0.85 else session.models[-1]
    uid, pid, program, unit, project, token, rule, address = session.caller
    status, end, problem, attempts, usage = 200, "complete", None, 1, "reported"
    luck = chance.random()
    if luck < 0.004:
        status, problem = 429, "rate_limit_error"
    elif luck < 0.007:
        status, end, problem, attempts, usage = 429, "refused", "budget_spent", 0, "none"
    elif luck < 0.010:
        status, end, problem, usage = 502, "upstream_error", "upstream_unreachable", "none"
    elif luck < 0.013:
        end, problem, usage = "truncated", "no_end", "partial"
    elif luck < 0.016:
        status, end, problem, usage = 504, "timeout", "first_byte_timeout", "unknown"
    elif luck < 0.022:
        end, usage = "client_gone", "partial"
    if status == 429 and end == "complete":
        usage = "none"
    first = int(chance.lognormvariate(13.3, 0.55))
    total = first + int(chance.lognormvariate(14.6, 0.9))
    counts = (None,) * 7
    cost, state, reason, saved = None, "none", None, None
    if usage in ("reported", "partial"):
        whole = max(8, int(session.size * chance.uniform(0.7, 1.3)))
        read = int(whole * session.cached * chance.uniform(0.8, 1.0)) if operation != "embeddings" else 0
        written = (whole - read) // 2 if operation == "messages" else 0
        output = max(1, int(chance.lognormvariate(5.8, 1.0))) if operation != "embeddings" else 0
        counts = (whole, whole - read - written, read, written, 300 if written else None, output, output // 3)
        if price is None:
            state, reason = "unpriced", "no price for gpt-6.3-preview"
        else:
            # Picodollars: millionths of a dollar for a token are 10^6 of them.
            cost = int(1e6 * (counts[1] * price[0] + read * price[1] + written * price[2] + output * price[3]))
            if read or written:
                saved = int(1e6 * (read * (price[0] - price[1]) + written * (price[0] - price[2])))
            state = "partial" if usage == "partial" else "priced"
    elif usage == "unknown":
        state, reason = "unpriced", "usage not reported"
    else:
        cost = 0
    raw = None if counts[0] is None else f'{{"input_tokens":{counts[0]},"output_tokens":{counts[5]},"cache_read":{counts[2]}}}'
    refused = end == "refused"
    return (
        identifier, uid, pid, program, unit, project, token, rule, address, "POST", f"/v1/{operation}",
        "anthropic" if operation == "messages" else "gemini" if operation == "generate" else "openai",
        None if refused else provider, name, 1, operation, session.client, session.session, session.agent,
        None if refused or status >= 400 else name, None if status >= 400 else "end_turn", status, end, problem, attempts,
        None if refused else first, 900 if refused else total, int(session.size * 4), 0 if refused else int(total / 300),
        usage, *counts, raw, cost, state, reason, None if cost is None else "2026-11-24", saved, 1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("database")
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--days", type=int, default=90)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--until", type=int, default=int(time.time()), help="seconds since 1970; now if not given")
    given = arguments.parse_args()
    chance = random.Random(given.seed)
    database = sqlite3.connect(given.database, isolation_level=None)
    if database.execute("PRAGMA application_id").fetchone()[0] != 0x6D6E736E:
        sys.exit(f"{given.database} is no database of menshen's; start menshen once with it")
    database.execute("PRAGMA synchronous = OFF")
    insert = f"INSERT OR IGNORE INTO requests ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
    tries = "INSERT OR IGNORE INTO attempts (request_id, n, provider, status, reason, started_us, ended_us) VALUES (?,?,?,?,?,?,?)"
    start = (given.until - given.days * 86400) // 600 * 600
    steps = range(start, given.until, 600)
    total = sum(weight(second) for second in steps)
    sessions = [Session(chance, number) for number in range(24)]
    made, debt = 0, 0.0
    for second in steps:
        debt += given.rows * weight(second) / total
        due, debt = int(debt), debt % 1
        moments = sorted(chance.randrange(second * 1_000_000, min(second + 600, given.until) * 1_000_000) for _ in range(due))
        rows = []
        for moment in moments:
            place = min(23, int(chance.expovariate(0.12)))
            session = sessions[place]
            session.left -= 1
            if session.left <= 0:
                sessions[place] = Session(chance, made)
            rows.append(row(chance, moment << 10, session))
            made += 1
        database.execute("BEGIN IMMEDIATE")
        database.executemany(insert, rows)
        database.executemany(
            tries, [(one[0], 1, one[12], one[21], "ok" if one[21] < 400 else one[23], 200, one[26]) for one in rows if one[12]])
        database.execute("COMMIT")
        if sys.stderr.isatty():
            print(f"\r{made:,} of {given.rows:,}", end="", file=sys.stderr)
    database.execute("DELETE FROM chain")
    # None of them is open, so that a start need not look for such.
    database.execute("UPDATE bookmarks SET id = (SELECT coalesce(max(id), -1) + 1 FROM requests) WHERE name = 'settled_below'")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print(f"{made:,} requests from {time.strftime('%Y-%m-%d', time.gmtime(start))} to "
          f"{time.strftime('%Y-%m-%d', time.gmtime(given.until))} UTC")


if __name__ == "__main__":
    main()
