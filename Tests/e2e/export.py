# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Exports that are stopped and go on, while menshen is killed and started under load: every request once, and the chain holds."""

import csv
import hashlib
import io
import json
import random
import signal
import struct
import subprocess
import threading
import time

from harness import BINARY, Daemon, check, done, environment, equal, identity, note, place, run, wait
from upstream import Upstream

KILLS, CALLERS = 5, 8
seed = random.randrange(1 << 32)
note(f"seed {seed}")
draw = random.Random(seed)

upstream = Upstream()
home = place()
daemon = Daemon(home, f"""\
[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "sk-real"
""")
equal(daemon.ask().status, 200, "it answers")
cursor, output = f"{home}/cursor", f"{home}/lines"
over = threading.Event()


def caller():
    while not over.is_set():
        try:
            daemon.ask()
        except OSError:
            time.sleep(0.01)
        except Exception:  # A broken answer: that is what kills are for.
            pass


def export(*arguments):
    with open(output, "ab") as file:
        return subprocess.Popen(
            [BINARY, "export", "--cursor", cursor, "--database", daemon.database, *arguments], stdout=file,
            stderr=subprocess.PIPE, env=environment(home), **identity())


threads = [threading.Thread(target=caller, daemon=True) for _ in range(CALLERS)]
for thread in threads:
    thread.start()
codes, complaints, verified = [], [], []
for turn in range(KILLS):
    exporter = export("--follow")
    time.sleep(draw.uniform(0.2, 0.6))
    daemon.kill()
    # While menshen is dead the chain fits what a kill has left.
    verified.append(run("audit", "verify", "--database", daemon.database, env=environment(home)))
    daemon.start()
    time.sleep(draw.uniform(0.1, 0.4))
    exporter.send_signal(draw.choice([signal.SIGINT, signal.SIGTERM]))
    _, error = exporter.communicate(timeout=20)
    codes.append(exporter.returncode)
    complaints.append(error.decode())
over.set()
for thread in threads:
    thread.join(15)
daemon.ask()
equal(daemon.stop(), 0, "SIGTERM ends menshen with 0")
last = export()
_, error = last.communicate(timeout=60)
equal((codes, last.returncode), ([0] * KILLS, 0), "each export ends with 0, followed or not")
equal([text for text in complaints + [error.decode()] if text], [], "and complains of nothing")
equal([answer.returncode for answer in verified], [0] * KILLS, "after each kill -9 the chain fits the rows")

with open(output) as file:
    lines = [json.loads(line) for line in file]
rows = {row["id"]: row["end_state"] for row in daemon.rows("SELECT id, end_state FROM requests")}
first = [int(line["id"]) for line in lines if not line["correction"]]
check(len(first) > 200 and len(rows) == len(first), f"{len(rows)} requests were exported, in {KILLS + 1} parts", len(first))
equal(len(set(first)), len(first), "none twice")
equal(set(rows) - set(first), set(), "none is missing")
equal({int(line["id"]): line["end_state"] for line in lines}, rows, "each with its end")
lost = sum(state == "lost" for state in rows.values())
check(lost > 0, f"{lost} of them lost in a kill, and exported when that was known")
order = [line["chain_seq"] for line in lines]
equal(order, sorted(order), "in the order in which they were settled")

final = run("audit", "verify", "--json", "--database", daemon.database, env=environment(home))
numbers = json.loads(final.stdout.splitlines()[-1])
equal((final.returncode, numbers["findings"], numbers["rows"]), (0, 0, len(rows)), "the chain covers all of them")
head = run("audit", "head", "--database", daemon.database, env=environment(home)).stdout.decode().strip()
equal(head, numbers["head"], "its head is said")


# The same once more by the manual's words alone.
def tag(name):
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return ((value ^ value >> 16) & 0xFFFF).to_bytes(2, "little")


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def coded(name, value):
    if value is None:
        return b""
    if isinstance(value, int):
        return tag(name) + varint((value << 1 ^ value >> 63) & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return tag(name) + struct.pack("<d", value)
    return tag(name) + varint(len(value.encode())) + value.encode()


schema = run("export", "--schema", "--format", "csv", env=environment(home)).stdout.decode()
names = [line["column"] for line in csv.DictReader(io.StringIO(schema))]
names = names[names.index("id"):names.index("chain_seq")]
tries = ["reason", "status", "started_us", "ended_us", "key_n", "provider", "model"]
attempts = {}
for row in daemon.rows("SELECT * FROM attempts ORDER BY request_id, n"):
    attempts.setdefault(row["request_id"], []).append(row)
records = {row["id"]: row for row in daemon.rows()}


def digest(row):
    parts = [coded(name, row[name]) for name in names if name != "count" or row[name] != 1]
    for each in attempts.get(row["id"], []):
        parts += [coded("attempts.n", each["n"])] + [coded(name, each[name]) for name in tries]
    return hashlib.sha256(b"".join(parts)).digest()


previous, bad, covered = bytes(32), [], set()
for link in daemon.rows("SELECT * FROM chain ORDER BY seq"):
    text = (previous + link["seq"].to_bytes(8, "big") + link["at"].to_bytes(8, "big") + link["act"].encode() + b"\0" + link["rows"])
    previous = link["hash"]
    if hashlib.sha256(text).digest() != previous:
        bad.append(link["seq"])
    for place in range(0, len(link["rows"]) if link["act"] == "settled" else 0, 24):
        member = link["rows"][place:place + 24]
        name = int.from_bytes(member[:8], "big")
        covered.add(name)
        if digest(records[name])[:16] != member[8:]:
            bad.append(name)
equal((bad, covered), ([], set(records)), "links and rows have the hashes that the manual says they have")

daemon.start()
daemon.ask()
equal(daemon.stop(), 0, "it goes on")
again = run("audit", "verify", "--head", head, "--database", daemon.database, env=environment(home))
equal(again.returncode, 0, "and the head of before is still in it")
done()
