# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Connections to providers that are given up before they are made, by a limit or because the caller leaves, and what
comes after them: libcurl closes their sockets without a word, so numbers of descriptors come again."""

import socket
import threading
import time

from harness import CHAT, JSON, TOKEN, Caller, Daemon, check, done, equal, place
from upstream import Upstream


def silent():
    """A port that takes no further connection: its queue is full, so the kernel answers nobody."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    for _ in range(3):
        end = socket.socket()
        end.setblocking(False)
        end.connect_ex(listener.getsockname())
        waiting.append(end)
    return listener, waiting


def mute():
    """A port that accepts and says nothing, as a TLS handshake that hangs."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    return listener, []


upstream = Upstream()
silent_port, mute_port = silent(), mute()
daemon = Daemon(place(), f"""\
[auth]
token = "{TOKEN}"
[[providers]]
name = "good"
base_url = "{upstream.url}/v1"
kind = "openai"
[[providers]]
name = "silent"
base_url = "http://127.0.0.1:{silent_port[0].getsockname()[1]}/v1"
kind = "openai"
[[providers]]
name = "mute"
base_url = "https://127.0.0.1:{mute_port[0].getsockname()[1]}/v1"
kind = "openai"
[[providers]]
name = "named"
base_url = "http://localhost:{upstream.port}/v1"
kind = "openai"
[[providers]]
name = "nameless"
base_url = "http://no-such-name.invalid/v1"
kind = "openai"
[upstream]
connect_timeout = "200ms"
""", tcp=True)


def ask(provider):
    try:
        answer = daemon.ask(f"/{provider}/v1/chat/completions")
        return answer.status, answer.fields["x-menshen-error"]
    except Exception as error:
        return repr(error), daemon.process.poll()


def leave(provider, after):
    """Sends a request and goes."""
    caller = Caller(daemon.socket)
    try:
        caller.request("POST", f"/{provider}/v1/chat/completions", CHAT, JSON)
        time.sleep(after)
    except OSError:
        pass
    caller.close()


def slow_are():
    begin = time.monotonic()
    answers = [ask(provider) for provider in ("good", "named") * 4]
    return answers, time.monotonic() - begin


for provider in ("silent", "mute"):
    for turn in range(3):
        equal(ask(provider), (504, "upstream_timeout"), f"{provider}: 504 after connect_timeout ({turn + 1})")
        answers, seconds = slow_are()
        equal(set(answers), {(200, None)}, "the next requests are answered")
        check(seconds < 1, "and do not wait", f"{seconds:.2f} s")
    for turn in range(3):
        crowd = [threading.Thread(target=leave, args=(provider, 0.02 * index)) for index in range(6)]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
        answers, seconds = slow_are()
        equal(set(answers), {(200, None)}, f"{provider}: callers leave while it is dialled, others are answered ({turn + 1})")
        check(seconds < 1, "and do not wait", f"{seconds:.2f} s")
    equal(ask("nameless"), (502, "upstream_unreachable"), f"a name without an address, after {provider}: 502")
equal(daemon.process.poll(), None, "it still runs")
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
done()
