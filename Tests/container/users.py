#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The two users of the container with their units, configurations, callers and journals. Runs as root in it."""

import hashlib
import json
import os
import pwd
import shutil
import subprocess

import harness

PYTHON = os.path.dirname(os.path.abspath(harness.__file__))
CLIENT = f"{PYTHON}/client.py"
SYSTEMD = "/mnt/systemd"
UNITS = f"{SYSTEMD}/user"
DROP_INS = f"{SYSTEMD}/drop-ins"
CATALOGUE = f"{SYSTEMD}/catalogue/menshen.catalog"
REASONABLE = 60


def wait(condition, seconds=20):
    """As the harness's; most conditions here ask systemd, which takes its time."""
    return harness.wait(condition, seconds, pause=0.05)


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=REASONABLE + 30, **options)


class User:
    def __init__(self, name):
        entry = pwd.getpwnam(name)
        self.name, self.uid, self.gid, self.home = name, entry.pw_uid, entry.pw_gid, entry.pw_dir
        self.runtime = f"/run/user/{self.uid}"
        self.socket = f"{self.runtime}/menshen/menshen.sock"
        self.configuration = f"{self.home}/.config/menshen/config.toml"
        self.state = f"{self.home}/.local/state/menshen"
        self.key = f"sk-canary-{name}-5b1f0c9e7a"
        self.digest = hashlib.sha256(f"Bearer {self.key}".encode()).hexdigest()

    def options(self):
        return {
            "user": self.uid, "group": self.gid, "extra_groups": [], "cwd": self.home,
            "env": {"HOME": self.home, "USER": self.name, "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": self.runtime,
                    "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.runtime}/bus", "LANG": "C.UTF-8"},
        }

    def run(self, *command):
        return run(*command, **self.options())

    def systemctl(self, *arguments):
        return self.run("systemctl", "--user", *arguments)

    def show(self, name, unit="menshen.service"):
        return self.systemctl("show", "--value", "-p", name, unit).stdout.strip()

    @property
    def pid(self):
        return int(self.show("MainPID") or 0)

    def write(self, path, text, mode=0o600):
        """As an editor would: a new file, renamed into place."""
        directory = os.path.dirname(path)
        if not os.path.isdir(directory):
            self.run("mkdir", "-p", "-m", "0700", directory)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.chmod(path + ".new", mode)
        os.chown(path + ".new", self.uid, self.gid)
        os.rename(path + ".new", path)

    def configure(self, idle_exit="10min", extra=""):
        self.write(f"{self.home}/.config/menshen/key", self.key + "\n")
        self.write(self.configuration, f"""\
[server]
idle_exit = "{idle_exit}"
{extra}
[[providers]]
name = "local"
kind = "openai"
base_url = "http://127.0.0.1:9001/v1"
api_key_file = "{self.home}/.config/menshen/key"
""")

    def break_configuration(self):
        self.write(self.configuration, '[server]\nidle_exit = "10min"\nno_such_key = 1\n[[providers]\n')

    def start(self, verb, *arguments):
        """A caller in the background; `finish` waits for it."""
        return subprocess.Popen(
            ["python3", "-B", CLIENT, verb, self.socket, *map(str, arguments)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **self.options())

    def call(self, verb, *arguments):
        return finish(self.start(verb, *arguments))

    def answers(self):
        """True if one request is answered with what the provider said to this user's key."""
        return self.saw(self.call("one")) == self.digest

    @staticmethod
    def saw(result):
        if result.get("status") != 200:
            return str(result)
        return json.loads(result["body"])["saw"]["authorization"]

    def stream(self):
        """A streamed request that has begun when this returns."""
        caller = self.start("stream")
        caller.stderr.readline()
        return caller

    def journal(self, *matches):
        text = self.run("journalctl", "--user", "-o", "json", "--no-pager", *matches).stdout
        return [json.loads(line) for line in text.splitlines()]

    def drop_in(self, text):
        path = f"{self.home}/.config/systemd/user/menshen.service.d/check.conf"
        if text:
            self.write(path, text)
        elif os.path.exists(path):
            os.unlink(path)
        self.systemctl("daemon-reload")


def finish(caller, seconds=REASONABLE):
    try:
        out, err = caller.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        caller.kill()
        caller.communicate()
        return {"error": "the caller did not end"}
    return json.loads(out) if out else {"error": err[-500:]}


def losses(totals):
    """What a load lost: everything that is not an answer."""
    return {name: number for name, number in totals.items() if name not in ("ok", "kept")}


def message_ids():
    """Subject of each catalogue paragraph -> id."""
    found = {}
    with open(CATALOGUE) as file:
        lines = file.read().splitlines()
    for line, following in zip(lines, lines[1:]):
        if line.startswith("-- "):
            found[following.removeprefix("Subject: ")] = line[3:]
    return found


def install():
    os.makedirs("/usr/lib/systemd/user", exist_ok=True)
    for unit in os.listdir(UNITS):
        shutil.copy(f"{UNITS}/{unit}", "/usr/lib/systemd/user/")
    os.makedirs("/usr/lib/systemd/catalog", exist_ok=True)
    shutil.copy(CATALOGUE, "/usr/lib/systemd/catalog/")
    run("journalctl", "--update-catalog", check=True)
    run("systemd-run", "-q", "--unit=upstream", "-p", "LimitNOFILE=65536", "python3", "-B",
        f"{PYTHON}/upstream.py", "9001", check=True)
