# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Records under attack: a locked database without a journal, files that others have made, bodies that stay in memory."""

import json
import os
import sqlite3
import time

from harness import IS_ROOT, KEY, Daemon, check, done, equal, note, own, place, skipped, wait
from namespace import Journal, enter, mount
from upstream import Upstream

MIB = 1 << 20
STRANGER = 65532


def configuration(upstream, more=""):
    return f'{more}\n[[providers]]\nbase_url = "{upstream.url}/v1"\nkind = "openai"\napi_key = "{KEY}"\n'


def status(daemon, form="text/plain"):
    return daemon.ask("/_menshen/status", None, {"Accept": form}, method="GET").body.decode()


def locked():
    """Another program holds the database, and there is no journal: nothing goes out that nobody records."""
    upstream = Upstream()
    daemon = Daemon(place(), configuration(upstream))
    equal(daemon.ask().status, 200, "at first the database takes the record")
    text = status(daemon)
    check("journal        none" in text, "the status says that there is no journal", text)
    lock = sqlite3.connect(daemon.database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    # Until the store has found out, beginnings are noted in the intent log.
    noted = []
    while '"database_fault":null' in status(daemon, "application/json") and len(noted) < 2000:
        noted.append(daemon.ask())
    before = len(upstream.calls)
    answers = [daemon.ask() for _ in range(56)]
    sent = len(upstream.calls) - before
    equal({(answer.status, answer.fields["x-menshen-error"]) for answer in answers}, {(503, "audit_unavailable")},
          "a locked database and no journal: 503 for each")
    check(sent <= 1, "the provider sees the first of them at most", sent)
    check("There is no journal to record to" in daemon.stderr() and "records go to the journal" not in daemon.stderr(),
          "and nobody is told that records go to the journal", daemon.stderr()[-400:])
    text = status(daemon)
    check("The journal takes no records either" in text, "nor by the status", text)
    lock.execute("ROLLBACK")
    lock.close()
    check(wait(lambda: daemon.ask().status == 200), "without the lock requests go on")
    daemon.settled([answer.id for answer in answers + noted])
    rows = [daemon.row(answer.id) for answer in answers]
    check(all(daemon.row(answer.id) for answer in noted), f"each of the {len(noted)} before has its row")
    told = [(row["status"], row["problem"]) for row in rows if row]
    counted = sum(row["usage_state"] != "none" for row in rows if row)
    note(f"locked, no journal: {len(answers)} refused, {sent} sent, {len(told)} rows, {counted} that may have cost something")
    equal(set(told), {(503, "audit_unavailable")}, "what was refused is recorded as refused")
    equal(len(told), len(answers), "all of it")
    equal(counted, sent, "and what was sent is not recorded as free")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def foreign_files():
    """Another user makes a companion first, to read what is written to it; or may write to the directory."""
    if not IS_ROOT:
        return skipped("files that another user has made", "needs root")
    for what, prepare in {
        "a -wal of another user's": lambda folder: stranger_file(folder, "menshen.db-wal"),
        "a -shm of another user's": lambda folder: stranger_file(folder, "menshen.db-shm"),
        "an intent log of another user's": lambda folder: stranger_file(folder, "menshen.db-intents"),
        "a database of another user's": lambda folder: stranger_file(folder, "menshen.db"),
        "a directory that all may write to": lambda folder: os.chmod(folder, 0o777),
    }.items():
        upstream = Upstream()
        home = place()
        folder = f"{home}/state/menshen"
        os.makedirs(folder, 0o700)
        for path in (f"{home}/state", folder):
            own(path)
        prepare(folder)
        daemon = Daemon(home, configuration(upstream, "[logging]\nlog_request_body = true"))
        answers = [daemon.ask() for _ in range(5)]
        with_rows = {answer.status for answer in answers}
        sent = len(upstream.calls)
        text = b""
        for name in os.listdir(folder):
            if os.stat(f"{folder}/{name}").st_uid == STRANGER:
                with open(f"{folder}/{name}", "rb") as file:
                    text += file.read()
        check(b"Good morning" not in text and b"chat/completions" not in text, f"{what}: nothing is written for others to read")
        if "intent" in what:
            equal(with_rows, {200}, f"{what}: requests wait for the database instead")
        else:
            equal(with_rows, {503}, f"{what}: not used, and without a journal requests are refused")
            check(sent <= 1, f"{what}: the provider sees the first of them at most", sent)
            check("is not used because" in daemon.stderr(), f"{what}: the log says why", daemon.stderr()[-300:])
        equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def stranger_file(folder, name):
    with open(f"{folder}/{name}", "w"):
        pass
    os.chown(f"{folder}/{name}", STRANGER, STRANGER)
    os.chmod(f"{folder}/{name}", 0o666)


def kept_bodies(count=120, size=256 << 10):
    """Stored bodies are large; once they are in the database, memory has nothing to do with them."""
    upstream = Upstream()
    daemon = Daemon(place(), configuration(upstream, "[logging]\nlog_request_body = true\nlog_response_body = true"))
    body = json.dumps({"content": "a" * size}).encode()
    equal(daemon.ask("/v1/upload", body).status, 200, "before bodies are kept")
    time.sleep(0.2)
    before = daemon.memory()
    ids = [daemon.ask("/v1/upload", body).id for _ in range(count)]
    daemon.settled(ids)
    most = daemon.memory() - before
    wait(lambda: daemon.memory() - before < 12 * MIB, 5)
    kept = daemon.memory() - before
    stored = daemon.rows("SELECT count(*) AS n, sum(length(bytes)) AS bytes FROM bodies")[0]
    note(f"{stored['n']} bodies, {stored['bytes'] / MIB:.0f} MiB stored: {most / MIB:.1f} MiB more, {kept / MIB:.1f} MiB when idle")
    equal(stored["n"], 2 * (count + 1), "each request has both bodies")
    check(kept < 12 * MIB, "an idle menshen keeps none of them in memory", f"{kept / MIB:.1f} MiB")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def journals():
    """Where the journal is kept, as the status tells it."""
    with open("/etc/machine-id") as file:
        machine = file.read().strip()
    journal = Journal()
    daemon = Daemon(place(), configuration(Upstream()))
    os.makedirs(f"/run/log/journal/{machine}")
    text = status(daemon)
    check("journal        volatile" in text, "a journal in memory: the status says so", text)
    equal(json.loads(status(daemon, "application/json"))["journal"], "volatile", "and its JSON")
    os.rmdir(f"/run/log/journal/{machine}")
    text = status(daemon)
    kept = os.path.exists(f"/var/log/journal/{machine}")
    check(f"journal        {'persistent' if kept else 'without files'}" in text, "and when it is kept elsewhere, or not at all", text)
    journal.close()
    check("journal        none" in status(daemon), "and when there is none any more")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def main():
    mount("/run", "1m")
    locked()
    foreign_files()
    kept_bodies()
    if os.path.exists("/etc/machine-id") and os.path.getsize("/etc/machine-id"):
        journals()
    else:
        skipped("where the journal is kept", "this machine has no machine-id")


enter(main, "records under attack")
done()
