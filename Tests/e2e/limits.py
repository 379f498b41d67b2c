# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Limits under a hundred parallel callers, over kill -9: what the provider was asked is never more than the limits allow."""

import http.client
import json
import random
import signal
import socket
import threading
import time

from harness import Daemon, check, done, equal, note, place, run, wait, write
from upstream import Upstream

CALLERS = 100
seed = random.randrange(1 << 32)
note(f"seed {seed}")
draw = random.Random(seed)

# Each answer of the provider's model "one" reports 3 + 6 tokens.
TOKENS_EACH = 9
# 3 bytes a token, and the 6 that are asked for.
BODY = json.dumps({"model": "one", "max_tokens": 6, "messages": []}).encode()
ESTIMATE = (len(BODY) + 2) // 3 + 6


def configuration(upstream, limits, more=""):
    return f"""\
[limits]
instance = {json.dumps(limits)}
timezone = "UTC"
{more}

[server]
workers = 3
debug_headers = true

[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "sk-real"
"""


def ask(daemon, body=BODY, patience=20):
    """Status and head of one answer; None if the daemon died first."""
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(patience)
        try:
            end.connect(daemon.socket)
            end.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            answer = http.client.HTTPResponse(end)
            answer.begin()
            text = answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text
        except (OSError, http.client.HTTPException):
            return None


def storm(daemon, turns, stop=None, body=BODY):
    """A hundred callers, each with so many requests one after the other; their answers."""
    answers, lock = [], threading.Lock()
    start = threading.Barrier(CALLERS)

    def run():
        start.wait()
        for _ in range(turns):
            if stop is not None and stop.is_set():
                return
            answer = ask(daemon, body)
            with lock:
                answers.append(answer)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def exhaust(daemon):
    """One after the other until one is refused: a storm may end while what its own requests have reserved is in its way."""
    while ask(daemon)[0] == 200:
        pass
    check(wait(lambda: usage(daemon)["limits"][0]["reserved"] == 0), "all that was reserved is settled")


def usage(daemon):
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(10)
        end.connect(daemon.socket)
        end.sendall(b"GET /_menshen/usage HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = http.client.HTTPResponse(end)
        answer.begin()
        return json.loads(answer.read())


# 1. Requests, over kill -9.

LIMIT = 400
upstream = Upstream()
daemon = Daemon(place(), configuration(upstream, [f"{LIMIT} requests/month"]))
equal(ask(daemon)[0], 200, "the first request is admitted")
asked = []
for turn in range(6):
    stop = threading.Event()
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(storm(daemon, 20, stop)))
    thread.start()
    time.sleep(draw.uniform(0.05, 0.25))
    daemon.kill()
    stop.set()
    thread.join(90)
    asked.append(len(upstream.calls))
    daemon.start()
answers = storm(daemon, 6)
statuses = {}
for answer in answers:
    statuses[answer and answer[0]] = statuses.get(answer and answer[0], 0) + 1
note(f"asked of the provider after each kill: {asked}, at the end {len(upstream.calls)}; last storm: {statuses}")
check(len(upstream.calls) <= LIMIT, f"over six times kill -9 the provider is asked {len(upstream.calls)} times, of {LIMIT}")
check(asked[0] > 0 and asked[0] < LIMIT, "the first kill came in the middle", asked)
equal(set(statuses) - {200, 429}, set(), "whoever is not admitted is answered 429")
refusal = next(answer for answer in answers if answer and answer[0] == 429)
check(refusal[1].get("retry-after", "").isdigit() and int(refusal[1]["retry-after"]) > 0, "a refusal says when it ends, in whole seconds", refusal[1])
equal(refusal[1].get("x-should-retry"), "false", "no SDK tries it again by itself")
equal(refusal[1].get("x-menshen-error"), "limit_reached", "it has a code of its own")
for word in (f"{LIMIT} requests/month", "this menshen", "spent", "reserved", "starts anew", "(UTC)"):
    check(word in json.loads(refusal[2])["error"]["message"], f"the message has '{word}'", refusal[2])
pot = usage(daemon)["limits"][0]
rows = daemon.rows("SELECT end_state, count(*) AS n FROM requests WHERE attempts > 0 OR end_state = 'lost' GROUP BY 1")
note(f"rows: {rows and [dict(row) for row in rows]}, pot: {pot}")
equal(pot["spent"], LIMIT, "the pot is spent to its last request")
equal(daemon.stop(), 0, "SIGTERM ends it with 0")

# 2. Tokens: what is reserved is never more than there is.

LIMIT = 4000
upstream = Upstream()
daemon = Daemon(place(), configuration(upstream, [f"{LIMIT} tokens/day"]))
# What a crash cuts off counts as the largest request that there is a record of; without any as two thousand tokens.
equal(ask(daemon)[0], 200, "the first request is admitted")
check(wait(lambda: daemon.rows("SELECT 1 FROM requests WHERE usage_state = 'reported'")), "its row is written")
storm(daemon, 1)
daemon.kill()
daemon.start()
storm(daemon, 6)
exhaust(daemon)
spent = len(upstream.calls) * TOKENS_EACH
note(f"{len(upstream.calls)} requests at the provider, {spent} tokens; estimate of one: {ESTIMATE}")
check(spent <= LIMIT, f"{spent} tokens are spent of {LIMIT}")
pot = usage(daemon)["limits"][0]
check(LIMIT - ESTIMATE < pot["spent"] <= LIMIT, "the pot is spent but for less than one request's estimate", pot)
equal(pot["reserved"], 0, "nothing stays reserved")

# 3. One request costs more than was expected of it.

upstream = Upstream()
daemon.stop()
daemon = Daemon(place(), configuration(upstream, ["1000 tokens/day"]))
body = json.dumps({"model": "one", "max_tokens": 1, "messages": []}).encode()
first = storm(daemon, 4, body=body)
estimate = (len(body) + 2) // 3 + 1
spent = len(upstream.calls) * TOKENS_EACH
check(spent <= 1000 + max(0, TOKENS_EACH - estimate), f"{spent} tokens of 1000: the overshoot is one request's at most")

# 4. A reload keeps what was spent, whatever the limit is now.

write(daemon.config, configuration(upstream, ["20 tokens/day", "100000 requests/month"]))
daemon.signal(signal.SIGHUP)
wait(lambda: len(usage(daemon)["limits"]) == 2)
wait(lambda: all(pot["is_known"] for pot in usage(daemon)["limits"]))
tokens, requests = usage(daemon)["limits"]
equal((tokens["limit"], tokens["spent"]), ("20 tokens/day", spent), "a reload with another amount keeps what was spent")
equal(requests["spent"], len(upstream.calls), "a new limit counts what was spent before it")
equal(ask(daemon)[0], 429, "the new amount holds at once")
equal(daemon.stop(), 0, "SIGTERM ends it with 0")

# 5. A dollar, over kill -9. Each answer costs 3 × 0.001 + 6 × 0.005 dollars.

PENNIES = 33_000_000_000
upstream = Upstream()
home = place()
dollar = configuration(upstream, ["1usd/day"]) + 'prices = "mine"\n'
file = write(f"{home}/config.toml", dollar)
refused = run("config", "check", "--config", file)
check(refused.returncode == 78 and b"is no provider with a list of prices" in refused.stderr, "a seller without prices is a fault", refused)
priced = run("prices", "set", "one", "--provider", "mine", "--input", "1000", "--output", "5000", "--config", file)
equal(priced.returncode, 0, f"a price is set {priced.stderr}")
daemon = Daemon(home, dollar)
equal(ask(daemon)[0], 200, "the first request is admitted")
check(wait(lambda: daemon.rows("SELECT 1 FROM requests WHERE cost IS NOT NULL AND status = 200")), "its row is written")
stop = threading.Event()
answers = []
thread = threading.Thread(target=lambda: answers.extend(storm(daemon, 20, stop, BODY)))
thread.start()
wait(lambda: len(upstream.calls) > 5)
daemon.kill()
stop.set()
thread.join(90)
daemon.start()
answers = storm(daemon, 3)
exhaust(daemon)
spent = len(upstream.calls) * PENNIES
note(f"{len(upstream.calls)} requests at the provider, {spent / 1e12} dollars")
check(0 < spent <= 10**12, f"{spent / 1e12} dollars are spent of 1")
pot = usage(daemon)["limits"][0]
estimate = (len(BODY) + 2) // 3 * 0.001 + 6 * 0.005
check(1 - estimate < pot["spent"] <= 1, "the pot is spent but for less than one request's estimate", pot)
refusal = next(answer for answer in answers if answer and answer[0] == 429)
equal(refusal[1].get("x-menshen-error"), "budget_reached", "money has a code of its own")
row = daemon.rows("SELECT cost, cost_state, price_version FROM requests WHERE status = 200 LIMIT 1")[0]
equal((row["cost"], row["cost_state"]), (PENNIES, "priced"), "the row says what it cost")
unpriced = ask(daemon, json.dumps({"model": "two", "max_tokens": 6, "messages": []}).encode())
equal((unpriced[0], unpriced[1].get("x-menshen-error")), (403, "unpriced_model"), "a model without a price has no place under a budget")
check(b"menshen prices set" in unpriced[2], "the refusal names the command", unpriced[2])
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
done()
