# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""A mount namespace of a stage's own, where /run and disks are small file systems, and a journal that comes and goes."""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import threading

from harness import skipped

INSIDE = "MENSHEN_E2E_NAMESPACE"


def mount(path, size):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "menshen-e2e", path], check=True)
    atexit.register(subprocess.run, ["umount", "-l", path])


def enter(main, what="audit devices"):
    """Runs the stage again in a mount namespace and `main` there; says so if there can be none."""
    if os.environ.get(INSIDE):
        return main()
    if not shutil.which("unshare"):
        return skipped(what, "there is no unshare")
    command = ["unshare", "--mount", "--propagation", "private"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    probe = subprocess.run([*command, "mount", "-t", "tmpfs", "none", "/run"], capture_output=True, text=True)
    if probe.returncode != 0:
        return skipped(what, f"no mount namespace here: {probe.stderr.strip()}")
    os.environ[INSIDE] = "1"
    os.execvp(command[0], [*command, sys.executable, "-B", *sys.argv])


class Journal:
    """Stands in for journald at its own place."""

    PATH = "/run/systemd/journal/socket"

    def __init__(self):
        os.makedirs(os.path.dirname(self.PATH), exist_ok=True)
        self.end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.end.bind(self.PATH)
        os.chmod(self.PATH, 0o666)
        self.entries = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                data = self.end.recv(1 << 20)
            except OSError:
                return
            lines = (line.partition("=") for line in data.decode(errors="replace").splitlines())
            self.entries.append({name: value for name, _, value in lines})

    def of(self, request_id):
        return [entry for entry in self.entries if entry.get("MENSHEN_REQUEST_ID") == request_id]

    def close(self):
        os.unlink(self.PATH)
        self.end.shutdown(socket.SHUT_RDWR)
        self.end.close()
