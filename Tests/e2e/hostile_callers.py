# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""One caller attacks, and the others go on: loop, connections, memory, disk. Prints what the others get meanwhile."""

import json
import os
import resource
import socket
import subprocess
import threading
import time

from harness import JSON, TOKEN, Caller, Daemon, check, done, equal, identity, note, place, wait
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
max_body_bytes = "13MiB"
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


def refused_uploads(status, path, token, size, count=30):
    """What Node does: it writes until it is done, and then reads; a write that fails is its EPIPE."""
    whole = broken = 0
    block = b"a" * MIB
    for _ in range(count):
        with over_tcp() as end:
            try:
                end.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                            % (path, token, size))
                for _ in range(size // MIB):
                    end.sendall(block)
                whole += end.recv(64).startswith(b"HTTP/1.1 %d " % status)
            except OSError:
                broken += 1
    note(f"{count} uploads of {size // MIB} MiB refused with {status}: {broken} broken pipes")
    equal(whole, count, f"refused uploads of {size // MIB} MiB read their {status}")


def long_names(count=200):
    caller = Caller(daemon.socket)
    for _ in range(count):
        caller.request("POST", "/v1/" + "p" * 6_000, b'{"model": "' + b"m" * 300 + b'"}', JSON)
        caller.getresponse().read()
    caller.close()
    daemon_rows = daemon.rows("SELECT max(length(path)) AS path, max(length(model)) AS model FROM requests")[0]
    note(f"longest path {daemon_rows['path']}, longest model {daemon_rows['model']}")
    check(daemon_rows["path"] <= 2048 and (daemon_rows["model"] or 0) <= 256, "long names are cut in the rows", daemon_rows)


def few_descriptors(engine=None):
    """menshen runs out of descriptors, within accept and on the way to a provider: nobody else is to blame."""
    own = Daemon(place(), f'[[providers]]\nname = "one"\nbase_url = "{upstream.url}/v1"\nkind = "openai"\napi_key = "sk-real"\n',
                 prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)), env={"MENSHEN_HTTP": engine} if engine else {})
    equal(own.ask("/v1/models", None, {}, method="GET").status, 200, "before descriptors run out")
    try:
        used = len(os.listdir(f"/proc/{own.pid}/fd"))
    except OSError:
        used = 24
    # Fewer than it has counted on: those that it keeps back for itself are gone as well.
    subprocess.run(["prlimit", f"--pid={own.pid}", f"--nofile={used + 12}:128"], check=True, **identity())
    hang = b'{"model": "hang", "messages": []}'
    ends, told = [], 0
    for _ in range(40):
        end = socket.socket(socket.AF_UNIX)
        end.settimeout(10)
        end.connect(own.socket)
        end.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(hang), hang))
        ends.append(end)
    check(wait(lambda: "could not be accepted" in own.stderr()), "the log says that connections wait", own.stderr()[-300:])
    for end in ends:
        end.setblocking(False)
        try:
            text = end.recv(4096)
            told += b" 503 " in text and b"LimitNOFILE" in text
        except OSError:
            pass
        end.close()
    answer = None

    def serves():
        nonlocal answer
        try:
            answer = own.ask("/v1/models", None, {}, method="GET")
        except OSError:
            return False
        return answer.status == 200

    check(wait(serves), "when callers have left, the listener takes others again", answer and answer.everything())
    status = json.loads(own.ask("/_menshen/status", None, {}, method="GET").body)["providers"][0]
    note(f"descriptors run out ({engine or 'own HTTP'}): {told} of {len(ends)} told so at once; the provider's state: {status['state']}, {status['last_failure']}")
    equal((status["state"], (status["last_failure"] or {}).get("reason") in (None, "unavailable")), ("ok", True), "no provider is blamed")
    check(own.stderr().count("could not be accepted") <= 10, "and the log is not filled", own.stderr().count("could not be accepted"))
    equal(own.stop(), 0, "SIGTERM ends it with 0")


grown = beside(pipelining, "pipelining without a token", 0.05)
check(grown < 16 * MIB, "and memory stays where it is", grown)
silent_connections()
refused_uploads(401, b"/v1/x", b"", 12 * MIB)
refused_uploads(413, b"/v1/x", b"Authorization: Bearer %s\r\n" % TOKEN.encode(), 16 * MIB)
unfinished_bodies()
long_names()
few_descriptors()
few_descriptors("libcurl")
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
done()
