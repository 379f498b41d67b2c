# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""menshen top, with a stream under way: its table, its screen, and that the terminal is as before, however it ends."""

import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import termios

from harness import BINARY, KEY, PATIENCE, Caller, Daemon, check, children, done, equal, identity, place, shown, wait
from upstream import Upstream

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"

upstream = Upstream()
home = place()
daemon = Daemon(home, f"""\
[[providers]]
name = "near"
base_url = "{upstream.url}/v1"
api_key = "{KEY}"
max_concurrent = 2

[server]
workers = 2

[limits]
instance = ["100requests/hour"]
""")
env = dict(daemon.env, TERM="xterm", TZ="UTC", NO_COLOR="1")


def under_way(model):
    """A request whose answer nobody hurries to read."""
    caller = Caller(daemon.socket)
    caller.request("POST", "/v1/chat/completions", json.dumps({"model": model, "stream": True, "messages": []}).encode(),
                   {"Content-Type": "application/json", "User-Agent": "curl/8"})
    return caller


def top(*arguments, code=0, more=None):
    """Into pipes."""
    process = subprocess.run([BINARY, "top", *arguments, "--socket", daemon.socket], cwd=home, env=more or env,
                             capture_output=True, timeout=PATIENCE, **identity())
    equal(process.returncode, code, f"top {' '.join(arguments)} ends with {code}")
    return process.stdout.decode(), process.stderr.decode()


class Screen:
    """top in a terminal of its own."""

    def __init__(self, columns=80, rows=24):
        self.mine, theirs = pty.openpty()
        self.resize(columns, rows)

        def prepare():
            os.setsid()
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.before = termios.tcgetattr(theirs)
        self.process = subprocess.Popen([BINARY, "top", "-n", "0.2", "--socket", daemon.socket], cwd=home, env=env, stdin=theirs,
                                        stdout=theirs, stderr=theirs, preexec_fn=prepare, **identity())
        children.append(self.process)
        self.theirs = theirs
        self.text = b""

    def resize(self, columns, rows):
        fcntl.ioctl(self.mine, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, *texts):
        """Whether one of these is drawn from now on."""
        text = shown(self.mine, *texts)
        self.text += text
        return any(each in text for each in texts)

    def press(self, keys):
        os.write(self.mine, keys)

    def lines(self):
        """The last picture that is whole."""
        picture = self.text.split(b"\x1b[J")[-2].split(b"\x1b[H")[-1]
        return picture.decode().replace("\x1b[K", "").split("\r\n")

    def ends(self, how, code=0):
        equal(self.process.wait(PATIENCE), code, f"{how}: it ends with {code}")
        self.until(LEAVE)
        check(self.text.endswith(b"\x1b[?7h\x1b[?25h" + LEAVE) and self.text.count(ENTER) == self.text.count(LEAVE),
              "and what stood there before is there again", self.text[-80:])
        equal(termios.tcgetattr(self.theirs), self.before, "and the terminal is as it was")
        os.close(self.theirs)
        os.close(self.mine)


# Two streams and one that waits for a place, at whichever worker.
first, second = under_way("long"), under_way("long")
check(wait(lambda: len(upstream.calls) == 2), "two streams are under way")
third = under_way("\u001b[2Jclear\u202e")
wait(lambda: "queued" in top("--once")[0])
text, notes = top()
rows = [line.split() for line in text.splitlines() if line.startswith(("streaming", "queued"))]
equal(sorted(row[0] for row in rows), ["queued", "streaming", "streaming"], "into a pipe it is one table, of all workers")
check(all("curl" in row and "near" in row for row in rows), "with program and provider", text)
check("\x1b" not in text and "\u202e" not in text and "\\u001b[2Jclear" in text, "no name's control characters come through")
check("3 open, 1 queued" in text and "2 of 2" in text and "100 requests an hour" in text, "head, places and limits are there", text)
page = json.loads(top("--json", "--once")[0])
equal((page["schema"], page["state"], page["requests_open"], len(page["requests"])), ("menshen.live.v1", "serving", 3, 3),
      "--json is what the page says")
stream = next(each for each in page["requests"] if each["state"] == "streaming")
check(stream["bytes_out"] > 0 and stream["first_byte_us"] > 0 and stream["model"] == "long" and stream["stream"] is True,
      "with what has come so far", stream)
check(KEY not in json.dumps(page), "no key is in it")
process = subprocess.Popen([BINARY, "top", "--json", "-n", "0.1", "--socket", daemon.socket], env=env, stdout=subprocess.PIPE, **identity())
children.append(process)
seen = [json.loads(process.stdout.readline())["time_us"] for _ in range(3)]
equal(seen, sorted(set(seen)), "without --once there is an object a look")
process.stdout.close()
check(process.wait(PATIENCE) in (0, -signal.SIGPIPE), "until nobody reads")

# The screen.
screen = Screen()
check(screen.until(b"streaming"), "on a terminal it shows the same")
check(screen.text.startswith(ENTER) and b"\x1b[?25l" in screen.text, "on a screen of its own, without a cursor")
equal(termios.tcgetattr(screen.theirs)[3] & (termios.ECHO | termios.ICANON), 0, "keys are not shown")
screen.press(b"m")
check(screen.until(b"m model*"), "a key sorts")
screen.press(b" ")
check(screen.until(b"space goes on"), "space pauses")
screen.press(b" \x1b[B\x1b[A")
check(screen.until(b"space pause"), "and goes on")
for columns, rows in ((40, 12), (120, 40), (80, 24)):
    screen.resize(columns, rows)
    wait(lambda: screen.until(b"\x1b[J") and len(screen.lines()) == rows)
    equal((len(screen.lines()), [line for line in screen.lines() if len(line) > columns]), (rows, []), f"it fits {columns} columns and {rows} rows")
check(screen.until(b" requests/s"), "successive looks tell the rate of requests")

# menshen ends, and comes again.
for caller in (third, second, first):
    caller.close()
check(screen.until(b"Nothing is under way"), "callers that leave are gone")
daemon.kill()
check(screen.until(b"nobody listens on"), "menshen ends: it says so")
daemon.start()
check(screen.until(b"serving"), "and goes on when it runs again")
daemon.signal(signal.SIGSTOP)
screen.press(b"q")
screen.ends("q, also while menshen does not answer")
daemon.signal(signal.SIGCONT)

# Every other way out.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    screen = Screen()
    check(screen.until(b"serving"), "it looks")
    screen.process.send_signal(number)
    screen.ends(number.name)
for number in (signal.SIGSEGV, signal.SIGTRAP):
    # As a fault of its own would end it.
    screen = Screen()
    check(screen.until(b"serving"), "it looks")
    screen.process.send_signal(number)
    screen.ends(number.name, -number)
screen = Screen()
screen.until(b"serving")
screen.press(b"\x03")
screen.ends("Ctrl-C")
screen = Screen()
screen.until(b"serving")
screen.press(b"\x1a")
equal(os.waitpid(screen.process.pid, os.WUNTRACED)[1] & 0xff, 0x7f, "Ctrl-Z stops it")
screen.until(LEAVE)
equal(termios.tcgetattr(screen.theirs), screen.before, "and gives the terminal back meanwhile")
screen.process.send_signal(signal.SIGCONT)
check(screen.until(ENTER), "it takes it again when it goes on")
screen.press(b"q")
screen.ends("q after that")
screen = Screen()
screen.until(b"serving")
os.close(screen.theirs)
os.close(screen.mine)
check(screen.process.wait(PATIENCE) is not None, "a terminal that goes away ends it")

# One that sleeps is not woken.
daemon.stop()
check("nobody listens" in top("--once", code=69)[1], "without a menshen a look fails, and says why")
reply = json.loads(subprocess.run(["timeout", "5", "sh", "-c", '"$@" | head -n 1', "sh", BINARY, "top", "--json", "--socket", daemon.socket], env=env,
                                  capture_output=True, **identity()).stdout)
check(reply["state"] == "away" and "nobody listens" in reply["reason"], "as JSON, too")
os.makedirs(f"{home}/run/menshen", 0o700)
os.makedirs(f"{home}/bin")
os.chmod(f"{home}/bin", 0o755)
with open(f"{home}/bin/systemctl", "w") as file:
    file.write("#!/bin/sh\nprintf 'ActiveState=active\\n\\nActiveState=%s\\n' \"$SERVICE\"\n")
os.chmod(f"{home}/bin/systemctl", 0o755)
door = socket.socket(socket.AF_UNIX)
door.bind(f"{home}/run/menshen/menshen.sock")
door.listen()
if os.geteuid() == 0:
    for path in (f"{home}/run/menshen", f"{home}/run/menshen/menshen.sock"):
        os.chown(path, *os.stat(home)[4:6])
door.setblocking(False)


def usual(service):
    asleep = dict(env, PATH=f"{home}/bin:{env['PATH']}", SERVICE=service)
    return subprocess.Popen([BINARY, "top", "--once"], cwd=home, env=asleep, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **identity())


def called():
    try:
        return door.accept()[0]
    except BlockingIOError:
        return None


for service in ("inactive", "failed", "deactivating"):
    process = usual(service)
    notes = process.communicate(timeout=PATIENCE)[1].decode()
    equal(process.returncode, 69, f"menshen.service is {service}: a look ends with 69")
    check("menshen sleeps" in notes and called() is None, "says that it sleeps, and does not wake it", notes)
process = usual("active")
caller = wait(called)
check(caller is not None, "one that runs is asked")
caller.recv(4096)
caller.close()
check("closed the connection" in process.communicate(timeout=PATIENCE)[1].decode(), "and if it answers nothing, that is said")
done()
