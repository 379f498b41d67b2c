# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""A key that is no longer in use is no longer in menshen's memory, and a crash hands that memory to nobody."""

import os
import resource
import signal
import subprocess

from concurrent.futures import ThreadPoolExecutor

from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman import HuffmanEncoder

from harness import *
from harness import atexit
from h2upstream import H2Upstream
from upstream import Upstream

OLD, NEW = "sk-old-4be1a9c07d", "sk-new-c3f29d6618"
upstream = Upstream()


def memory(pid, *texts):
    """Places of each text in the private, writable memory of a process; root reads it where the user may not."""
    found = {text: [] for text in texts}
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as file:
        for line in maps:
            span, mode, *rest = line.split()
            if not mode.startswith("rw") or "[vvar" in line:
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                file.seek(start)
                data = file.read(end - start)
            except OSError:
                continue
            for text in texts:
                sought = text if isinstance(text, bytes) else text.encode()
                at = data.find(sought)
                while at >= 0:
                    found[text].append((hex(start + at), rest[-1] if len(rest) > 3 else "", data[max(0, at - 40):at + 40]))
                    at = data.find(sought, at + 1)
    return found


def used(daemon, key, count=20):
    for _ in range(count):
        equal_quietly(daemon.ask().status, 200)
    equal_quietly(upstream.calls[-1].field("Authorization"), f"Bearer {key}")


def equal_quietly(actual, expected):
    if actual != expected:
        equal(actual, expected, "a request is answered with the key in use")


def gone(daemon, what):
    found = memory(daemon.pid, OLD, NEW)
    check(found[NEW], f"{what}: the new key is in memory, so the search finds what is there")
    check(not found[OLD], f"{what}: the old key is nowhere", found[OLD][:4])


def by_file():
    home = place()
    path = write(f"{home}/key", OLD + "\n")
    daemon = Daemon(home, f'[[providers]]\nbase_url = "{upstream.url}/v1"\nkind = "openai"\napi_key_file = "{path}"\n')
    used(daemon, OLD)
    check(memory(daemon.pid, OLD)[OLD], "a key in use is in memory")
    write(path, NEW + "\n")
    used(daemon, NEW)
    gone(daemon, "a rotated key file")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def by_reload():
    home = place()
    text = f'[[providers]]\nbase_url = "{upstream.url}/v1"\nkind = "openai"\napi_key = "%s"\nheaders = {{ "x-more" = "%s" }}\n'
    daemon = Daemon(home, text % (OLD, OLD))
    used(daemon, OLD)
    write(daemon.config, text % (NEW, NEW))
    daemon.signal(signal.SIGHUP)
    wait(lambda: "reload" in daemon.stderr().lower() or "configuration" in daemon.stderr().lower())
    used(daemon, NEW)
    gone(daemon, "a reload")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def packed(key):
    """How HTTP/2 spells the key's field on the wire: all but the last byte, which holds padding."""
    return HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(f"Bearer {key}".encode())[:-1]


def over_http2():
    home = place()
    certificate(home)
    server = H2Upstream(f"{home}/cert.pem", f"{home}/key.pem")
    path = write(f"{home}/key", OLD + "\n")
    daemon = Daemon(home, f'[[providers]]\nbase_url = "https://localhost:{server.port}/v1"\nkind = "openai"\n'
                          f'api_key_file = "{path}"\nca_file = "{home}/cert.pem"\n')

    def ask(key, count=20):
        for _ in range(count):
            before = len(server.streams)
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(daemon.ask)
                wait(lambda: len(server.streams) > before)
                stream = server.streams[before]
                stream.head(kind="application/json")
                stream.send(b"{}")
                stream.end()
                equal_quietly(answer.result(PATIENCE).status, 200)
            equal_quietly(stream.fields["authorization"], f"Bearer {key}")

    ask(OLD)
    check(len(server.links) == 1, "HTTP/2: one connection", len(server.links))
    write(path, NEW + "\n")
    ask(NEW)
    found = memory(daemon.pid, OLD, NEW, packed(OLD), packed(NEW))
    check(found[NEW], "HTTP/2: the new key is in memory")
    check(not found[OLD], "HTTP/2: the old key is nowhere", found[OLD][:4])
    check(not found[packed(OLD)] and not found[packed(NEW)], "nor is either as it was on the wire",
          (found[packed(OLD)] + found[packed(NEW)])[:4])
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


PATTERN = "/proc/sys/kernel/core_pattern"


def set_pattern(text):
    with open(PATTERN, "w") as file:
        file.write(text)


def allow_core():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def piped_core():
    """A program that gets core dumps by a pipe, as systemd-coredump does: no limit of a process keeps it from that."""
    home = place()
    daemon = Daemon(home, f'[[providers]]\nbase_url = "{upstream.url}/v1"\nkind = "openai"\napi_key = "{OLD}"\n', prepare=allow_core)
    used(daemon, OLD, 1)
    equal(os.stat(f"/proc/{daemon.pid}/environ").st_uid, 0, "the kernel counts menshen as not to be dumped: /proc/PID is root's")
    with open(PATTERN) as file:
        before = file.read().strip()
    os.chmod(os.path.dirname(home), 0o755)
    os.chmod(home, 0o711)
    os.mkdir(f"{home}/cores")
    collector = write(f"{home}/collect", f'#!/bin/sh\ncat > "{home}/cores/$1.part" && mv "{home}/cores/$1.part" "{home}/cores/$1"\n', 0o755)
    os.chown(collector, 0, 0)
    atexit.register(set_pattern, before)
    try:
        set_pattern(f"|{collector} %P")
    except OSError as error:
        return skipped("core dumps by a pipe", f"{PATTERN}: {error.strerror}")

    def crash(process):
        process.send_signal(signal.SIGABRT)
        process.wait(PATIENCE)

    def other():
        """Any other program of the user leaves one."""
        process = spawn(["sleep", "60"], home, environment(home), subprocess.DEVNULL, allow_core)
        wait(lambda: open(f"/proc/{process.pid}/comm").read() == "sleep\n")
        crash(process)
        return wait(lambda: os.path.exists(f"{home}/cores/{process.pid}"), 5) and str(process.pid)

    first = other()
    if not first:
        return skipped("core dumps by a pipe", "the kernel runs no collector here")
    crash(daemon.process)
    equal(daemon.process.returncode, -signal.SIGABRT, "SIGABRT ends menshen")
    # Collectors run in the order of the crashes: when this one is through, menshen's would have begun.
    last = other()
    set_pattern(before)
    equal(sorted(os.listdir(f"{home}/cores")), sorted([first, last]), "other programs' dumps come by the pipe, menshen's does not")


if IS_ROOT:
    by_file()
    by_reload()
    over_http2()
    piped_core()
else:
    skipped("what is left of a key in memory", "needs root: menshen's memory is closed to its own user")
done()
