# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The two audit devices: the database on a disk that fills up, and a journal that comes and goes."""

import os
import time

from harness import CHAT, Daemon, check, done, equal, note, own, place, wait
from namespace import Journal, enter, mount
from upstream import Upstream

def main():
    upstream = Upstream()
    home = place()
    mount("/run", "1m")
    disk = f"{home}/disk"
    os.mkdir(disk)
    mount(disk, "1m")
    os.chmod(disk, 0o700)
    own(disk)
    journal = Journal()
    daemon = Daemon(home, f"""\
[storage.sqlite]
path = "{disk}/menshen.db"
[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "sk-real"
""")
    daemon.database = f"{disk}/menshen.db"

    answer = daemon.ask()
    equal((answer.status, daemon.row(answer.id)["end_state"]), (200, "complete"), "at first the database takes the record")
    check(wait(lambda: journal.of(answer.id)), "and the journal has an entry")
    entry = journal.of(answer.id)[0]
    equal((entry.get("MENSHEN_STATUS"), entry.get("MENSHEN_END_STATE"), entry.get("MENSHEN_AUDIT_DEVICE")),
          ("200", "complete", None), "which is a copy, not the record itself")

    with open(f"{disk}/filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
    statuses, names = [], []
    for _ in range(400):
        answer = daemon.ask()
        statuses.append(answer.status)
        names.append(answer.id)
        if any(entry.get("MENSHEN_AUDIT_DEVICE") for entry in journal.of(answer.id)):
            break
    equal(set(statuses), {200}, f"the disk is full: {len(statuses)} requests go on")
    equal([entry.get("MENSHEN_END_STATE") for entry in wait(lambda: len(journal.of(names[-1])) > 1 and journal.of(names[-1])) or []],
          ["open", "complete"], "MENSHEN_AUDIT_DEVICE=journal: beginning and end")
    check(all(entry.get("MENSHEN_AUDIT_DEVICE") == "journal" for entry in journal.of(names[-1])), "both entries are marked")
    upstream.calls.clear()
    burst = [daemon.ask() for _ in range(300)]
    recorded = wait(lambda: all(len(journal.of(answer.id)) == 2 for answer in burst))
    check(recorded, "300 more: each has both entries, unthrottled", sum(len(journal.of(answer.id)) for answer in burst))
    names += [answer.id for answer in burst]
    status = daemon.ask("/_menshen/status", None, {}, method="GET").body
    check(b'"database_fault":"' in status, "the status says why", status)
    page = daemon.ask("/_menshen/ui/system", None, {}, method="GET").body
    check(b"database is not in use" in page, "the page says so", page)
    check("full" in daemon.stderr(), "and stderr", daemon.stderr()[-300:])

    journal.close()
    before = len(upstream.calls)
    answer = daemon.ask()
    equal((answer.status, answer.fields["x-menshen-error"]), (503, "audit_unavailable"), "without a journal: 503 audit_unavailable")
    check(answer.fields["x-should-retry"] == "true" and b'"error"' in answer.body, "in the shape that SDKs retry", answer.everything())
    refused = [answer.id] + [daemon.ask().id for _ in range(9)]
    check(len(upstream.calls) - before <= 1, f"the provider saw one of {len(refused)} refused requests at most", len(upstream.calls) - before)
    stream = daemon.ask(body=CHAT[:-1] + b', "stream": true}')
    check(stream.status == 503 and b"data:" not in stream.body, "a stream too, with no byte of the answer", stream.body)

    journal = Journal()
    answer = daemon.ask()
    equal(answer.status, 200, "with the journal back, requests go on at once")
    names.append(answer.id)

    os.unlink(f"{disk}/filler")
    begin = time.monotonic()

    def recovered():
        answer = daemon.ask()
        names.append(answer.id)
        return b'"database_fault":null' in daemon.ask("/_menshen/status", None, {}, method="GET").body

    check(wait(recovered, 10), "with space again, the database is used again")
    note(f"back after {time.monotonic() - begin:.1f} s")
    missing = [name for name in names if not daemon.row(name)]
    equal(missing, [], f"none of {len(names)} requests is missing in the database")
    told = {(row["status"], row["end_state"], row["problem"]) for row in map(daemon.row, refused) if row}
    equal(told, {(503, "refused", "audit_unavailable")}, "those that were refused are recorded as refused")
    equal([row["integrity_check"] for row in daemon.rows("PRAGMA integrity_check")], ["ok"], "PRAGMA integrity_check")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


enter(main)
done()
