# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Providers and readers that harm: answers nobody reads, endless heads and messages, bodies behind answers that have none."""

import base64
import hashlib
import selectors
import socket
import struct
import threading
import time

from harness import Caller, Daemon, check, done, equal, note, place, wait
from upstream import Upstream

MIB = 1 << 20


class Raw:
    """A provider of few words: `serve(end)` for each connection in a thread, or `feed` for thousands of them in one."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.serve = serve
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            end, _ = self.listener.accept()
            threading.Thread(target=self.run, args=(end,), daemon=True).start()

    def run(self, end):
        with end:
            try:
                self.serve(end)
            except OSError:
                pass


def read_head(end):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = end.recv(65536)
        if not piece:
            raise ConnectionError
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


class Flood:
    """Answers each connection with as much as it takes, all in one thread."""

    HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"

    def __init__(self, size):
        self.size = size
        self.block = memoryview(bytes(256 << 10))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        self.listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.sent = {}
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            for key, events in self.selector.select():
                if key.fileobj is self.listener:
                    end, _ = self.listener.accept()
                    end.setblocking(False)
                    self.selector.register(end, selectors.EVENT_READ)
                    continue
                try:
                    self.step(key.fileobj, events)
                except OSError:
                    self.forget(key.fileobj)

    def forget(self, end):
        self.selector.unregister(end)
        self.sent.pop(end, None)
        end.close()

    def step(self, end, events):
        if events & selectors.EVENT_READ:
            if not end.recv(65536):
                return self.forget(end)
            end.send(self.HEAD % self.size)
            self.sent[end] = 0
            self.selector.modify(end, selectors.EVENT_READ | selectors.EVENT_WRITE)
        if events & selectors.EVENT_WRITE:
            self.sent[end] += end.send(self.block[:self.size - self.sent[end]])
            if self.sent[end] == self.size:
                self.selector.modify(end, selectors.EVENT_READ)


def unread_answers(count=2000, size=MIB):
    """Callers of one program that ask for much and read nothing; they leave, and others are served meanwhile."""
    flood, other = Flood(size), Upstream()
    daemon = start(f'{provider("flood", flood.url)}{provider("other", other.url + "/v1")}')
    equal(daemon.ask("/other/v1/models", None, {}, method="GET").status, 200, "before the readers that do not read")
    before, own = daemon.memory(), daemon.memory("RssAnon")
    ends = []
    for _ in range(count):
        end = daemon_unix(daemon)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.sendall(b"GET /flood/v1/files/x/content HTTP/1.1\r\nHost: a\r\n\r\n")
        ends.append(end)

    def settled():
        """All are asked, and none moves any more."""
        moved = sum(flood.sent.values())
        time.sleep(0.2)
        return len(flood.sent) == count and moved == sum(flood.sent.values())

    check(wait(settled, 30), f"{count} answers are under way", len(flood.sent))
    held = daemon.memory() - before
    begin = time.monotonic()
    answers = [daemon.ask("/other/v1/models", None, {}, method="GET").status for _ in range(50)]
    took = (time.monotonic() - begin) / len(answers)
    equal(set(answers), {200}, "others are answered")
    whole = ends.pop()
    whole.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    data = b""
    while len(data) < size:
        piece = whole.recv(MIB)
        if not piece:
            break
        data += piece
    check(len(data) >= size, "and one that reads after all gets every byte", len(data))
    whole.close()
    for end in ends:
        end.close()
    # Pages of the program itself that were needed for the first time are no memory that is kept.
    wait(lambda: daemon.memory("RssAnon") - own < held / 4, 15)
    kept = daemon.memory("RssAnon") - own
    note(f"{count} answers of {size // MIB} MiB that nobody reads: {held / MIB:.0f} MiB more, {kept / MIB:.0f} MiB when they have left; others {took * 1000:.1f} ms each")
    check(held < 160 * MIB, "answers that nobody reads have a bound", f"{held / MIB:.0f} MiB")
    # What stays are the pools for the next burst, 15 to 16 MiB.
    check(kept < held / 4, "and their memory is given back", f"{kept / MIB:.0f} MiB")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def big_message(size=192 * MIB):
    """One WebSocket message, far larger than what anybody buffers."""
    head = b'{"type": "response.output_audio.delta", "delta": "'
    tail = b'"}'

    def serve(end):
        head_of_request, rest = read_head(end)
        key = next(line.split(b": ")[1] for line in head_of_request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        end.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept)
        end.sendall(b"\x81\x7f" + struct.pack(">Q", len(head) + size + len(tail)) + head)
        block = b"a" * MIB
        for _ in range(size // MIB):
            end.sendall(block)
        end.sendall(tail)
        while end.recv(MIB):
            pass

    upstream = Raw(serve)
    daemon = start(provider("live", upstream.url + "/v1"))
    equal(daemon.ask("/_menshen/health", None, {}, method="GET").status, 200, "before the message")
    grown_by = growth(daemon)
    begin = time.monotonic()
    with daemon_unix(daemon) as end:
        end.settimeout(60)
        end.sendall(b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        answer, rest = read_head(end)
        check(answer.startswith(b"HTTP/1.1 101 "), "the WebSocket opens", answer)
        wanted = 10 + len(head) + size + len(tail)
        taken = len(rest)
        # A reader that is late: what the provider may send meanwhile is bounded.
        time.sleep(0.3)
        while taken < wanted and (piece := end.recv(MIB)):
            taken += len(piece)
        equal(taken, wanted, f"a message of {size // MIB} MiB arrives whole")
    grown = grown_by()
    note(f"one WebSocket message of {size // MIB} MiB: {grown / MIB:.1f} MiB more at the most, {time.monotonic() - begin:.1f} s")
    check(grown < 8 * MIB, "and is kept nowhere", f"{grown / MIB:.1f} MiB")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def interim_heads(engine=None, size=280 * MIB):
    """1xx heads without end, to a caller that reads nothing."""
    sent = []

    def serve(end):
        read_head(end)
        piece = b"HTTP/1.1 103 Early Hints\r\nLink: <" + b"a" * 200 + b">\r\n\r\n"
        block = piece * 1000
        count = 0
        try:
            while count < size:
                end.sendall(block)
                count += len(block)
        finally:
            sent.append(count)

    upstream = Raw(serve)
    daemon = start(provider("early", upstream.url + "/v1"), engine)
    daemon.ask("/_menshen/health", None, {}, method="GET")
    grown_by = growth(daemon)
    with daemon_unix(daemon) as end:
        end.sendall(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
        check(wait(lambda: sent), "a provider of 1xx heads alone is stopped")
        grown = grown_by()
        data = b""
        while b"upstream_broken" not in data and (piece := end.recv(MIB)):
            data += piece
    note(f"1xx heads ({engine or 'own HTTP'}), {size // MIB} MiB of them wanted: {sum(sent) / MIB:.1f} MiB went, {grown / MIB:.1f} MiB more; {data.count(b' 103 ')} relayed")
    check(sum(sent) < size // 4, "long before it is done", sum(sent))
    check(b"HTTP/1.1 502 " in data, "and its caller hears 502", data[-300:])
    check(grown < 8 * MIB, "without memory for them", f"{grown / MIB:.1f} MiB")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def late_bodies(engine, count=150):
    """A body behind an answer that has none: it must not become the next caller's answer."""
    forms = {
        b"HEAD": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n\r\n",
        b"204": b"HTTP/1.1 204 No Content\r\n\r\n", b"304": b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
    }
    stolen = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nstolen"

    def serve(end):
        while True:
            head, _ = read_head(end)
            method, path, _ = head.split(b"\r\n")[0].split(b" ")
            form = next((form for form in forms if form == method or path.endswith(b"/" + form)), None)
            if form:
                end.sendall(forms[form])
                time.sleep(0.002)
                end.sendall(stolen)
            else:
                end.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    upstream = Raw(serve)
    daemon = start(provider("late", upstream.url), engine)
    others = wrong = broken = 0
    stop = threading.Event()

    def attack():
        caller = Caller(daemon.socket)
        while not stop.is_set():
            for method, path in (("HEAD", "/v1/files/a"), ("GET", "/v1/files/204"), ("GET", "/v1/files/304")):
                try:
                    caller.request(method, path)
                    caller.getresponse().read()
                except OSError:
                    caller.close()

    attacker = threading.Thread(target=attack, daemon=True)
    attacker.start()
    caller = Caller(daemon.socket)
    for number in range(count):
        path = f"/v1/files/mine-{number}"
        try:
            caller.request("GET", path)
            response = caller.getresponse()
            body = response.read()
        except Exception:
            broken += 1
            caller.close()
            continue
        others += 1
        wrong += response.status == 200 and body != path.encode()
        broken += response.status != 200
        time.sleep(0.001)
    stop.set()
    attacker.join(10)
    name = engine or "own HTTP"
    note(f"bodies behind HEAD, 204 and 304 ({name}): of {others} answers {wrong} were somebody else's, {broken} were none")
    equal(wrong, 0, f"{name}: no answer reaches another caller")
    equal(broken, 0, f"{name}: and none is lost")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def provider(name, url):
    return f'[[providers]]\nname = "{name}"\nbase_url = "{url}"\nkind = "openai"\napi_key = "sk-real"\n'


def growth(daemon):
    """How much larger it has become, or was for a moment: its start took more than what it keeps."""
    resident, peak = daemon.memory(), daemon.memory("VmHWM")
    return lambda: max(daemon.memory() - resident, daemon.memory("VmHWM") - peak)


def start(text, engine=None):
    return Daemon(place(), text, env={"MENSHEN_HTTP": engine} if engine else {})


def daemon_unix(daemon):
    end = socket.socket(socket.AF_UNIX)
    end.settimeout(10)
    end.connect(daemon.socket)
    return end


unread_answers()
big_message()
interim_heads()
interim_heads("libcurl")
late_bodies(None)
late_bodies("libcurl")
done()
