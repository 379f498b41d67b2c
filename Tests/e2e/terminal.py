# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""menshen in the foreground: its terminal, its descriptors, what it prints into a pipe."""

import os
import pty
import signal
import subprocess

from harness import (BINARY, KEY, PATIENCE, Caller, check, children, done, environment, equal, identity, place, shown, wait, write)
from upstream import Upstream

upstream = Upstream()
home = place()
env = environment(home)
socket = f"{home}/run/m.sock"
config = write(f"{home}/config.toml", f"""\
[[providers]]
base_url = "{upstream.url}/v1"
api_key = "{KEY}"
""")
COMMAND = [BINARY, "serve", "--config", config, "--socket", socket]


def is_up():
    try:
        caller = Caller(socket)
        caller.request("GET", "/_menshen/health")
        return caller.getresponse().status == 200
    except OSError:
        return False


def in_terminal(*before):
    """Starts menshen as the leader of a terminal's session; returns it and the terminal's other end."""
    mine, theirs = pty.openpty()

    def prepare():
        os.setsid()
        # Whoever runs the tests may do so under nohup.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        import fcntl
        import termios
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen([*before, *COMMAND], cwd=home, env=env, stdin=theirs, stdout=theirs, stderr=theirs,
                               preexec_fn=prepare, **identity())
    children.append(process)
    os.close(theirs)
    check(wait(is_up), "menshen serves from a terminal")
    return process, mine


process, terminal = in_terminal()
process.send_signal(signal.SIGHUP)
check("eload" in shown(terminal, b"eload").decode(), "SIGHUP reloads while the terminal is there")
check(process.poll() is None and is_up(), "and menshen goes on")
os.close(terminal)
equal(process.wait(PATIENCE), 0, "the terminal's hangup ends it, as SIGTERM would")

process, terminal = in_terminal("nohup")
os.close(terminal)
process.send_signal(signal.SIGHUP)
check(is_up() and process.poll() is None, "under nohup it outlives its terminal, and SIGHUP reloads")
process.terminate()
process.wait(PATIENCE)

# Descriptors that are closed at the start.
process = subprocess.Popen(["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *COMMAND], cwd=home, env=env, **identity())
children.append(process)
check(wait(is_up), "menshen serves with descriptors 0 to 2 closed")
equal([os.readlink(f"/proc/{process.pid}/fd/{each}") for each in range(3)], ["/dev/null"] * 3, "and has /dev/null in their place")
process.terminate()
process.wait(PATIENCE)
for name in os.listdir(f"{home}/state/menshen"):
    with open(f"{home}/state/menshen/{name}", "rb") as file:
        check(b"serves on" not in file.read(), f"no line of the log is in {name}")

# Into a pipe.
process = subprocess.Popen(COMMAND, cwd=home, env=env, stderr=subprocess.PIPE, text=True, **identity())
children.append(process)
check(wait(is_up), "menshen serves with stderr in a pipe")
process.terminate()
lines = process.communicate(timeout=PATIENCE)[1].splitlines()
check(lines and not any(line.startswith("<") or "MENSHEN_" in line for line in lines), "a pipe gets sentences without prefixes and fields", lines)
done()
