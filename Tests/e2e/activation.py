# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Started by its sockets: by systemd-socket-activate, then again and again by a stand-in that keeps the sockets."""

import os
import select
import shutil
import socket
import threading
import time

from harness import (BINARY, JSON, KEY, TOKEN, Caller, ask, check, done, environment, equal, free_port, own, place, skipped, spawn,
                     wait, write)
from upstream import Upstream

upstream = Upstream()
home = place()
port = free_port()
os.mkdir(f"{home}/run", 0o700)
own(f"{home}/run")
path = f"{home}/run/m.sock"
write(f"{home}/helper", f"""\
#!/bin/sh
env > {home}/helper-env
ls -l /proc/self/fd > {home}/helper-fds
echo {KEY}
""", 0o700)
config = write(f"{home}/config.toml", f"""\
[server]
idle_exit = "1s"
[auth]
token = "{TOKEN}"
[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key_command = ["{home}/helper"]
""")
bearer = {**JSON, "Authorization": f"Bearer {TOKEN}"}


def text(name):
    with open(f"{home}/{name}") as file:
        return file.read()


def by_systemd():
    program = shutil.which("systemd-socket-activate")
    if not program:
        return skipped("activation by systemd-socket-activate", "it is not here (Debian: package systemd)")
    passed = [f"-E{name}={value}" for name, value in environment(home, NOTIFY_SOCKET=f"{home}/run/notify").items()]
    with open(f"{home}/stderr", "wb") as log:
        process = spawn([program, "-l", path, "-l", f"127.0.0.1:{port}", "--fdname=http:tcp", *passed, BINARY, "serve", "--config", config],
                        home, environment(home), log)
    check(wait(lambda: "Listening" in text("stderr")), "systemd-socket-activate listens", text("stderr"))
    # The program runs only once somebody connects.
    check("menshen" not in os.path.basename(os.readlink(f"/proc/{process.pid}/exe")), "nothing runs before the first caller")
    equal(ask(path).status, 200, "the first caller over the Unix socket starts it, and is answered")
    equal(ask(("127.0.0.1", port), fields=bearer).status, 200, "the TCP socket works")
    equal(ask(("127.0.0.1", port)).status, 401, "and wants its token")
    env = text("helper-env")
    check("HOME=" in env, "the key command has an environment")
    equal([line for line in env.splitlines() if line.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_"))], [],
          "LISTEN_ and NOTIFY_ variables do not reach it")
    sockets = [line for line in text("helper-fds").splitlines() if "socket:" in line]
    equal(sockets, [], "nor does a socket")
    begin = time.monotonic()
    equal(process.wait(6), 0, "idle_exit = \"1s\": it exits with 0")
    check(time.monotonic() - begin > 0.5, "and not at once")
    check(os.path.exists(path), "the inherited socket's name stays")
    os.unlink(path)


class Manager:
    """Keeps listening sockets as systemd does, and starts menshen when somebody connects."""

    def __init__(self):
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(path)
        unix.listen(128)
        own(path)
        tcp = socket.create_server(("127.0.0.1", port), backlog=128)
        self.sockets = [unix, tcp]
        self.starts, self.codes, self.process, self.program = 0, [], None, BINARY

    def run(self, stop):
        poll = select.poll()
        for end in self.sockets:
            poll.register(end, select.POLLIN)
        while not stop.is_set():
            if not poll.poll(20):
                continue
            self.starts += 1
            self.codes.append(self.start().wait())

    def start(self):
        # Descriptors 3 and 4, and the process id that only the child knows.
        script = (f'exec 3<&{self.sockets[0].fileno()} 4<&{self.sockets[1].fileno()}; LISTEN_PID=$$ LISTEN_FDS=2 '
                  f'LISTEN_FDNAMES=http:tcp exec "{self.program}" serve --config "{config}"')
        with open(f"{home}/stderr2", "ab") as log:
            self.process = spawn(["bash", "-c", script], home, environment(home), log,
                                 prepare=None, pass_fds=[end.fileno() for end in self.sockets])
        return self.process


def again_and_again():
    """Callers just before, while and after it leaves lose nothing."""
    manager, stop = Manager(), threading.Event()
    results, lock = [], threading.Lock()

    def one(target, fields):
        try:
            outcome = ask(target, fields=fields).status
        except Exception as error:
            outcome = repr(error)
        with lock:
            results.append(outcome)

    runner = threading.Thread(target=manager.run, args=(stop,), daemon=True)
    runner.start()
    for gap in (1.0, 1.9, 2.02, 2.2, 0):
        burst = [threading.Thread(target=one, args=(path if index % 2 else ("127.0.0.1", port), bearer)) for index in range(6)]
        for thread in burst:
            thread.start()
        for thread in burst:
            thread.join()
        time.sleep(gap)
    stop.set()
    runner.join(6)
    check(manager.starts >= 2, f"a new connection starts it again ({manager.starts} starts)", text("stderr2"))
    equal(set(manager.codes), {0}, "every time it exits with 0")
    equal((len(results), set(results)), (30, {200}), "no caller around an idle exit is lost")


def replaced():
    """A package manager puts a newer program in its place: menshen leaves at the next quiet moment."""
    os.unlink(path)
    manager = Manager()
    manager.program = f"{home}/menshen"
    shutil.copy(BINARY, manager.program)
    write(config, text("config.toml").replace('"1s"', '"6s"'))
    process = manager.start()
    caller = Caller(path)
    caller.request("POST", "/v1/chat/completions", b'{"model": "long", "stream": true, "messages": []}', JSON)
    answer = caller.getresponse()
    shutil.copy(BINARY, manager.program + ".new")
    os.rename(manager.program + ".new", manager.program)
    # It looks at a quarter of idle_exit.
    time.sleep(2)
    check(process.poll() is None and answer.read(64), "with a stream under way it stays, although its program was replaced")
    answer.close()
    caller.close()
    check(wait(lambda: process.poll() is not None, 3), "without one it leaves, before idle_exit")
    equal(process.poll(), 0, "with 0")
    wait(lambda: "Stopped (" in text("stderr2"))
    check("Stopped (replaced)" in text("stderr2"), "and says why", text("stderr2")[-300:])
    process = manager.start()
    equal(ask(path).status, 200, "the next caller gets the new one")
    time.sleep(2)
    check(process.poll() is None, "which stays")
    process.terminate()
    equal(process.wait(10), 0, "until SIGTERM")


by_systemd()
again_and_again()
with open(f"{home}/stderr2", "wb"):
    replaced()
done()
