# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""One caller attacks, and the others go on: loop, connections, memory, disk. Prints what the others get meanwhile."""

import socket
import threading
import time

from harness import JSON, TOKEN, Caller, Daemon, check, done, equal, note, place
from upstream import Upstream

MIB = 1 << 20
SECONDS = 2
upstream = Upstream()
daemon = Daemon(place(), f"""\
[auth]
token = "{TOKEN}"
[server]
max_connections = 512
max_buffered_bodies = "64MiB"
[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "sk-real"
""", tcp=True)


def over_tcp():
    return socket.create_connection(("127.0.0.1", daemon.port), timeout=10)


def others(seconds=SECONDS):
    """Health checks on the Unix socket, one after the other: how many a second, and the 99th percentile in milliseconds."""
    times = []
    caller = Caller(daemon.socket)
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        start = time.monotonic()
        caller.request("GET", "/_menshen/health")
        caller.getresponse().read()
        times.append(time.monotonic() - start)
    caller.close()
    times.sort()
    return len(times) / seconds, times[len(times) * 99 // 100] * 1000


def beside(attack, sentence, least):
    """What others get while `attack` runs, which ends when it is told; at least that part of what they get alone."""
    alone, alone_p99 = others(1)
    before = daemon.memory()
    stop = threading.Event()
    attacker = threading.Thread(target=attack, args=(stop,), daemon=True)
    attacker.start()
    rate, p99 = others()
    grown = daemon.memory() - before
    stop.set()
    attacker.join(10)
    note(f"{sentence}: others {rate:.0f}/s, p99 {p99:.1f} ms (alone {alone:.0f}/s, {alone_p99:.1f} ms), {grown / MIB:.1f} MiB more")
    # The attacker is a thread of this process, too, which takes its share of the time.
    check(rate > alone * least, f"{sentence}: others go on", f"{rate:.0f}/s of {alone:.0f}/s")
    return grown


def pipelining(stop):
    """Answers are read, so that nothing slows the attacker down."""
    with over_tcp() as end:
        piece = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000

        def read():
            try:
                while not stop.is_set() and end.recv(MIB):
                    pass
            except OSError:
                pass

        threading.Thread(target=read, daemon=True).start()
        try:
            while not stop.is_set():
                end.sendall(piece)
        except OSError:
            pass


def silent_connections(count=600):
    strangers = [over_tcp() for _ in range(count)]
    answer = daemon.ask("/_menshen/health", None, {}, method="GET")
    equal(answer.status, 200, f"{count} silent strangers, and the owner's socket answers")
    answer = daemon.ask("/v1/models", None, {"Authorization": f"Bearer {TOKEN}"}, unix=False, method="GET")
    check(answer.status != 503, "and so does TCP for who has a token", answer.status)
    for end in strangers:
        end.close()


def unfinished_bodies(count=500, size=2 * MIB):
    before = daemon.memory()
    ends, refused = [], 0
    for _ in range(count):
        end = daemon_unix()
        try:
            end.sendall(b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"a" * (size - 1))
        except OSError:
            pass
        ends.append(end)
    time.sleep(0.5)
    grown = daemon.memory() - before
    for end in ends:
        end.setblocking(False)
        try:
            refused += b" 503 " in end.recv(64)
        except OSError:
            pass
        end.close()
    note(f"{count} unfinished bodies of {size // MIB} MiB: {grown / MIB:.0f} MiB more, {refused} refused")
    check(grown < 96 * MIB, "bodies that are not whole have a bound", grown)
    check(refused > count // 2, "the caller that holds most is refused", refused)


def daemon_unix():
    end = socket.socket(socket.AF_UNIX)
    end.settimeout(10)
    end.connect(daemon.socket)
    return end


def refused_uploads(count=10, size=24 * MIB):
    """What Node does: it writes until it is done, and then reads."""
    whole = 0
    for _ in range(count):
        with over_tcp() as end:
            try:
                end.sendall(b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size)
                for _ in range(size // MIB):
                    end.sendall(b"a" * MIB)
                whole += end.recv(64).startswith(b"HTTP/1.1 401 ")
            except OSError:
                pass
    equal(whole, count, f"refused uploads of {size // MIB} MiB read their 401")


def long_names(count=200):
    caller = Caller(daemon.socket)
    for _ in range(count):
        caller.request("POST", "/v1/" + "p" * 6_000, b'{"model": "' + b"m" * 300 + b'"}', JSON)
        caller.getresponse().read()
    caller.close()
    daemon_rows = daemon.rows("SELECT max(length(path)) AS path, max(length(model)) AS model FROM requests")[0]
    note(f"longest path {daemon_rows['path']}, longest model {daemon_rows['model']}")
    check(daemon_rows["path"] <= 2048 and (daemon_rows["model"] or 0) <= 256, "long names are cut in the rows", daemon_rows)


grown = beside(pipelining, "pipelining without a token", 0.05)
check(grown < 16 * MIB, "and memory stays where it is", grown)
silent_connections()
refused_uploads()
unfinished_bodies()
long_names()
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
done()
