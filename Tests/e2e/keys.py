# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Providers' keys by command: the hidden prompt on a terminal, pipes, what is written, who hears of it, and what a test of a key says."""

import json
import os
import pty
import shutil
import signal
import socket
import sqlite3
import subprocess
import termios
import time

from harness import (BINARY, KEY, PATIENCE, Daemon, check, children, done, environment, equal, free_port, identity, place, shown, skipped, wait)
from upstream import Handler, Upstream

GOOD, BAD = "sk-good-3f1c", "sk-bad-77aa"


def models(self):
    """Lists models to those who have the key."""
    call = self.receive()
    if call.field("Authorization") == f"Bearer {GOOD}":
        return self.plain({"object": "list", "data": []})
    self.plain({"error": {"message": "Incorrect API key\u001b[31m provided.", "code": "invalid_api_key"}}, 401)


Handler.do_GET = models
upstream = Upstream()
home = place()
configuration = f"""\
[[providers]]
name = "one"
base_url = "{upstream.url}/v1"
api_key_file = "one.key"
[[providers]]
name = "fresh"
base_url = "{upstream.url}/v1"
[[providers]]
name = "inline"
base_url = "{upstream.url}/v1"
api_key = "${{INLINE_KEY}}"
[[providers]]
name = "gone"
base_url = "http://127.0.0.1:{free_port()}/v1"
api_key = "${{INLINE_KEY}}"
[[providers]]
name = "plain-tls"
base_url = "https://localhost:{upstream.port}/v1"
api_key = "${{INLINE_KEY}}"
"""
daemon = Daemon(home, configuration, env={"INLINE_KEY": GOOD})
file = f"{home}/one.key"
OPTIONS = ["--config", daemon.config, "--socket", daemon.socket]
# Without systemd's manager: the commands are to find the daemon by its socket.
env = daemon.env | {"PATH": "/usr/bin:/bin", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}


def key(*arguments, given=b"", **more):
    options = OPTIONS if arguments[0] != "list" else OPTIONS[:2]
    return subprocess.run([BINARY, "key", *arguments, *options], input=given, capture_output=True, cwd=home, env=env | more,
                          timeout=120, **identity())


def reloads():
    return daemon.stderr().count("Reloaded ")


def content(path):
    with open(path, "rb") as file:
        return file.read()


# From a pipe.
before = reloads()
result = key("set", "one", given=f"\ufeff  {BAD}\r\n".encode())
equal(result.returncode, 0, "a key comes in through a pipe")
equal((content(file), os.stat(file).st_mode & 0o7777), (f"{BAD}\n".encode(), 0o600), "its file holds it alone, mode 0600")
check(b"sha256:" in result.stdout and BAD.encode() not in result.stdout + result.stderr, "and it is shown to nobody", result)
check(wait(lambda: reloads() > before), "menshen has reloaded")
for given, word in ((b"", b"is empty"), (b'"sk-a"', b"quotation marks"), (b"OPENAI_API_KEY=sk-a", b'before the key'), (b"a\nb", b"several lines"),
                    (b"x" * 20000, b"longer than any key")):
    result = key("set", "one", given=given)
    check(result.returncode == 65 and word in result.stderr, f"what is no key is refused: {word.decode()}", result)
equal(content(file), f"{BAD}\n".encode(), "and leaves the file as it was")
equal([name for name in os.listdir(home) if ".new" in name], [], "nothing half-written is left")
check(b"there is no provider 'on' " in key("set", "on", given=b"x").stderr, "a name that is none is told")
result = key("set", "inline", given=b"sk-x")
check(result.returncode == 78 and b"api_key_file = " in result.stderr, "a key of the configuration is not written anywhere", result)

# Tests of keys.
result = key("test", "one", "--json")
said = json.loads(result.stdout)
equal((result.returncode, said["verdict"], said["status"], said["place"]), (1, "refused", 401, file), "a wrong key is refused")
equal(said["message"], "Incorrect API key?[31m provided.", "in the provider's words, without what a terminal would obey")
fingerprint = said["fingerprint"]
check(daemon.row(said["request_id"])["status"] == 401, "and the question is on record")
os.symlink("one.key", f"{home}/link.key")
key("set", "one", given=GOOD.encode())
result = key("test", "one")
check(result.returncode == 0 and b"works: the provider answered 200" in result.stdout, "a good key works", result)
check(json.loads(key("test", "one", "--json").stdout)["fingerprint"] != fingerprint, "and has another fingerprint")
result = key("test", "gone")
check(result.returncode == 1 and b"cannot be reached" in result.stdout, "a provider that is not there is told", result)
result = key("test", "plain-tls")
check(result.returncode == 1 and b"TLS failed" in result.stdout, "so is a fault of TLS", result)
check(key("test", "inline").returncode == 0, "a key of the configuration works too")
result = subprocess.run([BINARY, "key", "test", "one", *OPTIONS[:2], "--socket", f"{home}/none"], capture_output=True, env=env, **identity())
equal(result.returncode, 69, "without a menshen there is no test")

# The list.
entries = {entry["provider"]: entry for entry in json.loads(key("list", "--json", INLINE_KEY=GOOD).stdout)}
equal({name: entry["from"] for name, entry in entries.items()},
      {"one": "file", "fresh": "none", "inline": "configuration", "gone": "configuration", "plain-tls": "configuration"},
      "the list says where each key comes from")
equal((entries["one"]["mode"], entries["one"]["fingerprint"], abs(entries["one"]["changed"] - time.time()) < 100),
      ("0600", entries["inline"]["fingerprint"], True), "with mode, time and fingerprint")
text = key("list", INLINE_KEY=GOOD).stdout
check(b"FINGERPRINT" in text and GOOD.encode() not in text, "and never a key", text)

# A provider that names no place.
result = key("set", "fresh", given=KEY.encode())
fresh = f"{home}/keys/fresh"
check(result.returncode == 0 and f'api_key_file = "{fresh}"'.encode() in result.stdout, "the line to write is told", result)
equal((os.stat(fresh).st_mode & 0o7777, os.stat(f"{home}/keys").st_mode & 0o7777), (0o600, 0o700), "the file and its directory are private")
check(b"does not use it" in key("list", INLINE_KEY=GOOD).stderr, "and the list says that it is not in use")
equal((key("remove", "fresh").returncode, os.path.exists(fresh)), (0, False), "it is removed again")
equal(key("remove", "fresh").returncode, 73, "once")
with sqlite3.connect(f"file:{home}/state/menshen/access.db?mode=ro", uri=True) as acts:
    acts = acts.execute("SELECT act, target, outcome FROM admin").fetchall()
check(acts.count(("key set", "fresh", "done")) == 1 and acts.count(("key remove", "fresh", "done")) == 1 and ("key set", "one", "done") in acts,
      "what was done to keys is recorded, once for each time", acts)


def in_terminal(*arguments):
    """A command on a terminal of its own; returns it and the terminal's other end."""
    mine, theirs = pty.openpty()

    def prepare():
        os.setsid()
        # Whoever runs the tests may have them ignored.
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        import fcntl
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen([BINARY, "key", *arguments, *OPTIONS], cwd=home, env=env, stdin=theirs, stdout=theirs,
                               stderr=theirs, preexec_fn=prepare, **identity())
    children.append(process)
    return process, mine, theirs


def shows(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


process, terminal, theirs = in_terminal("set", "one")
asked = shown(terminal, b"shown): ")
check(b"Key of provider 'one'" in asked and not shows(theirs), "on a terminal it asks, and shows nothing of what is typed", asked)
os.write(terminal, BAD.encode() + b"\nrm -rf pasted\n")
said = shown(terminal, b"written")
equal(process.wait(PATIENCE), 0, "what is typed is taken")
check(BAD.encode() not in said and b"sha256:" in said, "and was never shown", said)
equal(content(file), f"{BAD}\n".encode(), "it is in the file")
check(shows(theirs), "the terminal shows again what is typed")
os.set_blocking(theirs, False)
try:
    rest = os.read(theirs, 100)
except BlockingIOError:
    rest = b""
equal(rest, b"", "what was pasted behind it reaches no shell")

for name, number in (("^C", signal.SIGINT), ("SIGTERM", signal.SIGTERM), ("SIGHUP", signal.SIGHUP)):
    process, terminal, theirs = in_terminal("set", "one")
    shown(terminal, b"shown): ")
    os.write(terminal, b"sk-half")
    if name == "^C":
        os.write(terminal, b"\x03")
    else:
        process.send_signal(number)
    equal(process.wait(PATIENCE), -number, f"{name} ends the question")
    check(shows(theirs), f"and the terminal is as it was after {name}")
equal(content(file), f"{BAD}\n".encode(), "and the file is as it was")

process, terminal, theirs = in_terminal("set", "one")
shown(terminal, b"shown): ")
os.write(terminal, b"\x04")
said = shown(terminal, b"is empty")
check(process.wait(PATIENCE) == 65 and b"is empty" in said, "nothing typed is no key", said)

# A link stays one; what is removed is forgotten at once.
target = f"{home}/elsewhere"
os.rename(file, target)
os.symlink(target, file)
equal(key("set", "one", given=GOOD.encode()).returncode, 0, "a link is followed")
check(os.path.islink(file) and content(target) == f"{GOOD}\n".encode(), "and stays")
result = key("remove", "one")
check(result.returncode == 73 and os.path.exists(target), "a link is not removed", result)
os.unlink(file)
os.rename(target, file)
before = reloads()
equal((key("remove", "one").returncode, os.path.exists(file)), (0, False), "a key is removed")
wait(lambda: reloads() > before)
result = key("test", "one", "--json")
equal(json.loads(result.stdout)["verdict"], "not_asked", "and menshen has forgotten it")

# As systemd encrypts it.
tool = shutil.which("systemd-creds")
if tool and os.geteuid() == 0 and not identity():
    blob = f"{home}/private/one.cred"
    result = key("set", "one", "--credential", "--output", blob, given=GOOD.encode())
    check(result.returncode == 0 and b"LoadCredentialEncrypted=one.key:" in result.stdout, "systemd-creds encrypts a key", result)
    plain = subprocess.run([tool, "--name=one.key", "decrypt", blob, "-"], capture_output=True)
    equal(plain.stdout, GOOD.encode(), "and gets it back")
    check(GOOD.encode() not in content(blob) and os.stat(blob).st_mode & 0o7777 == 0o600, "the file does not show it")
else:
    skipped("systemd-creds", "it is not installed, or the user is not root")
with open(f"{home}/systemd-creds", "w") as script:
    script.write("#!/bin/sh\ncat >/dev/null\nexit 3\n")
os.chmod(f"{home}/systemd-creds", 0o755)
result = key("set", "one", "--credential", "--output", f"{home}/private2/one.cred", given=GOOD.encode(), PATH=f"{home}:/usr/bin:/bin")
check(result.returncode == 71 and b"nothing was written" in result.stderr and os.listdir(f"{home}/private2") == [],
      "a systemd-creds that fails leaves nothing behind", result)
done()
