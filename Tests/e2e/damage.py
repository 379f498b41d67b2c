# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The database's disk becomes read-only under a running menshen, and its files are overwritten."""

import os
import shutil
import subprocess
import threading

from harness import *
from harness import atexit
from namespace import Journal, enter, mount
from upstream import Upstream

ENTRIES = ["open", "complete"]


class Case:
    def __init__(self, home, disk, journal):
        self.disk, self.journal = disk, journal
        self.daemon = Daemon(home, f"""\
[storage.sqlite]
path = "{disk}/menshen.db"
[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "{KEY}"
""")
        self.daemon.database = f"{disk}/menshen.db"
        self.before = [self.daemon.ask().id for _ in range(20)]
        equal({self.daemon.row(name)["end_state"] for name in self.before}, {"complete"}, "at first the database takes the records")

    def entries(self, name):
        return [(entry.get("MENSHEN_END_STATE"), entry.get("MENSHEN_AUDIT_DEVICE")) for entry in self.journal.of(name)]

    def goes_on(self, break_it, words):
        """What is under way and what comes while it is broken has its beginning and end in the journal."""
        caller = Caller(self.daemon.socket)
        caller.request("POST", "/v1/chat/completions", b'{"model": "burst", "stream": true, "messages": []}', JSON)
        begun = caller.getresponse()
        self.begun = begun.headers["x-menshen-request-id"]
        # Nothing is being written: a commit that ends behind the damage leaves an index that looks sound until it is read anew.
        wait(lambda: self.daemon.rows("SELECT id FROM requests WHERE id = ?", number(self.begun)))
        break_it()
        answers = [self.daemon.ask() for _ in range(30)]
        equal([answer.status for answer in answers], [200] * 30, "requests go on")
        check(begun.read().endswith(b"data: [DONE]\n\n"), "and so does a stream that was under way")
        caller.close()
        self.names = [answer.id for answer in answers]
        marked = [(state, "journal") for state in ENTRIES]
        wait(lambda: all(self.entries(name) == marked for name in self.names), 3)
        equal([name for name in self.names if self.entries(name) != marked], [], "the journal has beginning and end of each, marked as the only record")
        check(wait(lambda: ("complete", "journal") in self.entries(self.begun)), "and the end of the stream", self.entries(self.begun))
        log = self.daemon.stderr()
        check("can't be used" in log and words in log, f"an event says so: {words}", log[-600:])
        equal(log.count("can't be used"), len({line for line in log.splitlines() if "can't be used" in line}), "each reason once")
        check(b'"database_fault":"' in self.status(), "and so does the status", self.status())

    def status(self):
        return self.daemon.ask("/_menshen/status", None, {}, method="GET").body

    def comes_back(self):
        def recovered():
            self.names.append(self.daemon.ask().id)
            return b'"database_fault":null' in self.status()

        check(wait(recovered, 10), "once it can be written, the database is used again", self.daemon.stderr()[-600:])
        self.daemon.row(self.names[-1])
        there = {row["id"] for row in self.daemon.rows("SELECT id FROM requests WHERE end_state <> 'open'")}
        missing = [name for name in [*self.names, self.begun] if number(name) not in there]
        equal(missing, [], f"and has each of the {len(self.names) + 1} requests that ended meanwhile")
        check("is in use again" in self.daemon.stderr(), "an event says so")
        equal([row["integrity_check"] for row in self.daemon.rows("PRAGMA integrity_check")], ["ok"], "PRAGMA integrity_check")


def tell(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def read_only(journal):
    """The kernel makes a file system read-only when it finds a fault in it: here by its own switch for tests."""
    if not shutil.which("mkfs.ext4"):
        return skipped("a disk that becomes read-only", "there is no mkfs.ext4")
    home = place()
    image, disk = f"{home}/image", f"{home}/disk"
    os.mkdir(disk)
    try:
        tell("truncate", "-s", "16M", image)
        tell("mkfs.ext4", "-q", image)
        tell("mount", "-o", "loop,errors=remount-ro", image, disk)
    except subprocess.CalledProcessError as error:
        return skipped("a disk that becomes read-only", error.stderr.strip())
    atexit.register(subprocess.run, ["umount", "-l", disk])
    switch = f"/sys/fs/ext4/{os.path.basename(tell('findmnt', '-no', 'SOURCE', disk))}/trigger_fs_error"
    os.chmod(disk, 0o700)
    own(disk)
    if not os.access(switch, os.W_OK):
        return skipped("a disk that becomes read-only", f"there is no {switch}")
    case = Case(home, disk, journal)
    # What the kernel has not written yet is lost with the disk.
    os.sync()

    def break_it():
        with open(switch, "w") as file:
            file.write("1")

    case.goes_on(break_it, "disk")
    check(wait(lambda: "read" in case.daemon.stderr().split("can't be used")[-1]), "and that it can't be written",
          case.daemon.stderr()[-600:])
    # As an administrator would: check it and mount it again, with menshen running on. By a loop device of its own, for
    # the old one lives as long as menshen's lock file is open.
    tell("umount", "-l", disk)
    subprocess.run(["e2fsck", "-fy", image], capture_output=True)
    loop = tell("losetup", "--find", "--show", image)
    atexit.register(subprocess.run, ["losetup", "--detach", loop])
    tell("mount", loop, disk)
    case.comes_back()
    there = {row["id"] for row in case.daemon.rows("SELECT id FROM requests")}
    equal([name for name in case.before if number(name) not in there], [], "what it had before is there")
    equal(case.daemon.stop(), 0, "SIGTERM ends it with 0")


def overwritten(journal):
    """Every byte of the database, its log and its index becomes another."""
    home = place()
    disk = f"{home}/disk"
    os.mkdir(disk)
    mount(disk, "4m")
    os.chmod(disk, 0o700)
    own(disk)
    case = Case(home, disk, journal)
    names = ("menshen.db", "menshen.db-wal", "menshen.db-shm")

    def break_it():
        for name in names:
            with open(f"{disk}/{name}", "r+b") as file:
                file.write(b"\xa5" * os.path.getsize(f"{disk}/{name}"))

    case.goes_on(break_it, "its content is damaged")
    # The event's own advice.
    for name in names:
        if os.path.exists(f"{disk}/{name}"):
            os.rename(f"{disk}/{name}", f"{disk}/old-{name}")
    case.comes_back()
    unknown = [name for name in case.before if ("complete", None) not in case.entries(name)]
    equal(unknown, [], "what was only in the old file is in the journal")
    equal(case.daemon.stop(), 0, "SIGTERM ends it with 0")


def main():
    mount("/run", "1m")
    journal = Journal()
    overwritten(journal)
    read_only(journal)


upstream = Upstream()
enter(main)
done()
