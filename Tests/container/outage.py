#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The database's disk is full, menshen is killed, and the journal is all there is. Runs as root in the container."""

import os
import shutil

from harness import check
from users import finish, message_ids, run, wait

ALONE = "MENSHEN_AUDIT_DEVICE=journal"
# The request ids of the view, as the journal names them.
ROWS = "SELECT request_id || ' ' || end_state || ' ' || ifnull(status, '') || ' ' || attempts FROM request_log"


def rows(user):
    """Request id -> how the row says it ended."""
    text = run("sqlite3", "-readonly", f"{user.state}/menshen.db", ROWS).stdout
    return dict(line.split(" ", 1) for line in text.splitlines())


def alone(user):
    """Request id -> states of the entries that are its only record."""
    run("journalctl", "--sync")
    found = {}
    for entry in user.journal(ALONE, f"MENSHEN_DATABASE={user.state}/menshen.db"):
        found.setdefault(entry["MENSHEN_REQUEST_ID"], set()).add(entry["MENSHEN_END_STATE"])
    return found


def burst(user, condition):
    """Requests on many connections until `condition` holds; what became of them."""
    load = user.start("load")
    held = wait(condition, 30)
    totals = finish(load)
    return held, totals


def degraded(user):
    return "NOT IN USE" in user.show("StatusText")


def begin(user):
    """The state directory is a small file system of its own."""
    user.systemctl("stop", "menshen.socket", "menshen.service")
    shutil.rmtree(user.state, ignore_errors=True)
    user.run("mkdir", "-p", "-m", "0700", user.state)
    run("mount", "-t", "tmpfs", "-o", f"size=24m,mode=0700,uid={user.uid},gid={user.gid}", "none", user.state, check=True)
    user.systemctl("start", "menshen.socket")
    user.answers()


def end(user):
    user.systemctl("stop", "menshen.socket", "menshen.service")
    run("umount", user.state)
    user.systemctl("start", "menshen.socket")


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def kill(user):
    before = user.pid
    user.systemctl("kill", "-s", "KILL", "menshen.service")
    return wait(lambda: user.pid not in (0, before) and user.answers())


def full_disk(user):
    begin(user)
    try:
        filler = f"{user.state}/filler"
        fill(filler)
        held, totals = burst(user, lambda: degraded(user))
        check(held, "the disk is full: the journal is the only device", user.show("StatusText"))
        check(totals.get("ok", 0) > 0 and not [name for name in totals if name not in ("ok", "kept")],
              "requests go on", totals)
        burst(user, lambda: len(alone(user)) > 1500)
        check(kill(user), "killed, it serves again with the disk still full")
        known = alone(user)
        check(len(known) > 1500, "more than a thousand requests are in the journal only", len(known))
        ended = {name for name, states in known.items() if states - {"open"}}
        check(not ended & set(rows(user)), "none of them is in the database", len(ended & set(rows(user))))
        # The process that has them in its memory is gone; kill the next one too, while it takes them over.
        os.unlink(filler)
        before = len(rows(user))
        wait(lambda: user.answers() and not degraded(user))
        part = wait(lambda: (count := len(set(rows(user)) & ended)) > 64 and count)
        check(kill(user), "killed while it reads the journal, it serves again")
        print(f"# {part} of {len(ended)} were back when it was killed; {before} rows before")
        check(wait(lambda: known.keys() <= rows(user).keys(), 40), "every request of the journal gets its row",
              len(known.keys() - rows(user).keys()))
        found = rows(user)
        wrong = {name: found[name] for name in ended if found.get(name) != "complete 200 1"}
        check(not wrong, "complete, with its status and its attempt", list(wrong.items())[:5])
        lost = {found[name] for name in known.keys() - ended}
        check(lost <= {"lost  0"}, "those whose end the journal did not see are lost", lost)
        said = f"MESSAGE_ID={message_ids()['Records from the journal were added to the audit database']}"
        check(wait(lambda: user.journal(said), 20), "the journal says how many")
        text = run("sqlite3", f"{user.state}/menshen.db", "PRAGMA integrity_check").stdout.strip()
        check(text == "ok", "the database is whole", text)
    finally:
        end(user)


def volatile(user):
    """In a volatile journal users have no file of their own."""
    drop_in = "/etc/systemd/journald.conf.d/check.conf"
    os.makedirs(os.path.dirname(drop_in), exist_ok=True)
    with open(drop_in, "w") as file:
        file.write("[Journal]\nStorage=volatile\n")
    run("mount", "-t", "tmpfs", "none", "/var/log/journal", check=True)
    run("systemctl", "restart", "systemd-journald")
    begin(user)
    try:
        fill(f"{user.state}/filler")
        burst(user, lambda: degraded(user))
        os.unlink(f"{user.state}/filler")
        wait(lambda: user.answers() and not degraded(user))
        said = f"MESSAGE_ID={message_ids()['The journal does not give records back']}"
        text = wait(lambda: run("journalctl", "-o", "cat", "--no-pager", said).stdout)
        check("can't be read back from the journal" in text and "may not read it" in text, "menshen says that it cannot", text)
        open_rows = [name for name, state in rows(user).items() if state.startswith("open")]
        check(not open_rows, "what it had in memory is in the database", open_rows)
    finally:
        end(user)
        os.unlink(drop_in)
        run("umount", "/var/log/journal")
        run("systemctl", "restart", "systemd-journald")
