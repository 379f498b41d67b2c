# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""kill -9, twenty times, with sixteen callers at work: whatever a caller saw begin has a record."""

import random
import socket
import sqlite3
import threading
import time

from harness import Daemon, check, done, equal, note, number, place, wait
from upstream import Upstream

ROUNDS, CALLERS = 20, 16
seed = random.randrange(1 << 32)
note(f"seed {seed}")
draw = random.Random(seed)

upstream = Upstream()
daemon = Daemon(place(), f"""\
[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "sk-real"
""")

begun, finished, others = set(), set(), set()
headless = 0
lock = threading.Lock()


def request(number):
    model, stream = ("burst", "true") if number % 2 else ("one", "false")
    body = f'{{"model": "{model}", "stream": {stream}, "messages": []}}'
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def whole(head, body):
    if b"chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    return len(body) >= length


def caller(index, stop):
    """Requests on one connection until the daemon dies; remembers each answer of which a status line came."""
    global headless
    text = request(index)
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(10)
        try:
            end.connect(daemon.socket)
            while not stop.is_set():
                end.sendall(text)
                got, name = b"", None
                while True:
                    block = end.recv(65536)
                    got += block
                    if name is None and b"\r\n\r\n" in got:
                        head, _, got = got.partition(b"\r\n\r\n")
                        name = next(line[22:].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"x-menshen-request-id: "))
                        with lock:
                            begun.add(name)
                            if not head.startswith(b"HTTP/1.1 200"):
                                others.add(head.split(b"\r\n")[0])
                    if not block:
                        if name is None and got:
                            with lock:
                                headless += 1
                        return
                    if name is not None and whole(head, got):
                        with lock:
                            finished.add(name)
                        break
        except OSError:
            pass


def database(sql):
    """While menshen is dead: a connection that may write recovers the log, and removes it when it closes."""
    connection = sqlite3.connect(daemon.database, timeout=5)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


# The first start makes the database; a kill in the middle of that leaves none to look at.
equal(daemon.ask().status, 200, "before the first kill it answers")
bad_rounds, lost_seen, in_log = [], 0, 0
for turn in range(1, ROUNDS + 1):
    stop = threading.Event()
    threads = [threading.Thread(target=caller, args=(index, stop), daemon=True) for index in range(CALLERS)]
    for thread in threads:
        thread.start()
    time.sleep(draw.uniform(0.05, 0.3))
    daemon.kill()
    stop.set()
    for thread in threads:
        thread.join(15)
    integrity = database("PRAGMA integrity_check")
    opened = {row[0] for row in database("SELECT id FROM requests WHERE end_state = 'open'")}
    lost_seen += len(opened)
    known = {row[0] for row in database("SELECT id FROM requests")}
    in_log += sum(number(name) not in known for name in begun)
    daemon.start()
    # The store opens its file, and takes over the intent log, while the first callers are let in already: the first answer
    # comes after that.
    daemon.ask()
    wait(lambda: not daemon.rows("SELECT 1 FROM requests WHERE end_state = 'open' LIMIT 1"), 3)
    states = {row["id"]: row["end_state"] for row in daemon.rows("SELECT id, end_state FROM requests")}
    missing = [name for name in begun if number(name) not in states]
    still_open = [state for state in states.values() if state == "open"]
    unlost = [row for row in opened if states.get(row) != "lost"]
    if integrity != [("ok",)] or missing or still_open or unlost:
        bad_rounds.append((turn, integrity, missing[:3], len(still_open), len(unlost)))

equal(bad_rounds, [], f"{ROUNDS} times kill -9: integrity_check is ok, each of {len(begun)} begun answers has a row, none stays open")
check(len(begun) > ROUNDS * CALLERS, f"there was load: {len(begun)} answers begun, {len(finished)} whole")
check(lost_seen > 0, f"rows open at a kill become 'lost': {lost_seen}")
check(in_log > 0, f"{in_log} of them were in the intent log only when the process died")
equal(others, set(), "every answer is the provider's")
equal(headless, 0, "no answer began without its name")
by_state = {row["end_state"]: row["n"] for row in daemon.rows("SELECT end_state, count(*) AS n FROM requests GROUP BY 1")}
note(f"rows by end: {by_state}")
equal(set(by_state) - {"complete", "lost"}, set(), "no other end")
check("lost" in daemon.stderr(), "the start says what was lost", daemon.stderr()[-300:])
equal([line for line in daemon.stderr().splitlines() if "can't be used" in line], [], "the database is in use all the time")
equal(daemon.ask().status, 200, "after all that it answers")
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
done()
