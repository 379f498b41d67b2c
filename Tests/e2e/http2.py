# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Many answers at once on one HTTP/2 connection to a provider: each flows, stops, breaks and is left by itself."""

import hashlib
import random
import socket
import ssl
import threading
import time

from harness import *
from h2upstream import HTTP_1_1_REQUIRED, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, H2Upstream

MIB = 1 << 20
PIECES = 5


class Reader:
    """A caller that reads a streamed answer as it wants to."""

    def __init__(self, daemon, body=CHAT, method="POST", path="/v1/echo"):
        self.end = daemon.connect()
        self.end.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self.raw = b""

    def until(self, text):
        while text not in self.raw:
            block = self.end.recv(65536)
            if not block:
                raise EOFError(self.raw[-200:])
            self.raw += block
        before, _, self.raw = self.raw.partition(text)
        return before

    def head(self):
        self.fields = self.until(b"\r\n\r\n")
        line = next(line for line in self.fields.split(b"\r\n") if line.lower().startswith(b"x-menshen-request-id: "))
        self.id = line.split(b": ")[1].decode()
        return int(self.fields.split(b" ")[1])

    def piece(self):
        """One chunk."""
        size = int(self.until(b"\r\n"), 16)
        while len(self.raw) < size + 2:
            block = self.end.recv(65536)
            if not block:
                raise EOFError(self.raw[-200:])
            self.raw += block
        data, self.raw = self.raw[:size], self.raw[size + 2:]
        return data

    def rest(self):
        """What comes until the connection ends."""
        try:
            while block := self.end.recv(65536):
                self.raw += block
        except ConnectionResetError:
            pass
        return self.raw

    def close(self):
        self.end.close()


def begun(count, daemon=None):
    """That many streams at once, with their heads read; (reader, stream) each."""
    pairs = []
    for _ in range(count):
        before = len(upstream.streams)
        reader = Reader(daemon or door)
        wait(lambda: len(upstream.streams) > before)
        stream = upstream.streams[before]
        check_quietly(stream.whole.wait(PATIENCE))
        stream.head()
        check_quietly(reader.head() == 200)
        pairs.append((reader, stream))
    return pairs


def check_quietly(good):
    if not good:
        check(False, "a stream begins")


def exchange(reader, stream, text):
    """A piece that is sent and read; seconds."""
    data = b"data: " + text + b"\n\n"
    begin = time.monotonic()
    stream.send(data)
    got = reader.piece()
    return got == data, time.monotonic() - begin


def finish(pairs, daemon=None):
    """Each answer ends whole; their rows' ends."""
    wholes = 0
    for reader, stream in pairs:
        stream.send(b"data: [DONE]\n\n")
        stream.end()
        wholes += reader.piece() == b"data: [DONE]\n\n" and reader.piece() == b""
        reader.close()
    return wholes, {(daemon or door).row(reader.id)["end_state"] for reader, _ in pairs}


def streams():
    pairs = begun(60)
    equal(len(upstream.links), 1, "60 streams at once share one connection")
    outcomes = []
    for turn in range(PIECES):
        random.shuffle(pairs)
        outcomes += [exchange(reader, stream, b"%d of %d" % (turn, stream.number)) for reader, stream in pairs]
    equal([good for good, _ in outcomes], [True] * 60 * PIECES, "each piece arrives before the next is sent")
    seconds = sorted(seconds for _, seconds in outcomes)
    note(f"a piece takes {seconds[len(seconds) // 2] * 1000:.1f} ms, {seconds[-1] * 1000:.1f} ms at most")
    equal(finish(pairs), (60, {"complete"}), "and all of them end whole")


def cancel():
    pairs = begun(9)
    links = len(upstream.links)
    leaving, gone = pairs.pop(4)
    exchange(leaving, gone, b"half")
    at = time.monotonic()
    leaving.close()
    check(gone.gone.wait(PATIENCE), "a caller that leaves takes its stream with it")
    check(gone.code is not None and gone.link.is_open, "by RST_STREAM", gone.code)
    check(gone.gone_at and gone.gone_at - at < 0.5, "at once", gone.gone_at and gone.gone_at - at)
    equal(door.row(leaving.id)["end_state"], "client_gone", "and its row says so")
    equal([exchange(reader, stream, b"on")[0] for reader, stream in pairs], [True] * 8, "the streams beside it go on")
    more = begun(1)
    equal((len(upstream.links), more[0][1].link is gone.link), (links, True), "the next request uses the same connection")
    equal(finish(pairs + more), (9, {"complete"}), "and all of them end whole")


def settled(stream):
    """Waits until no more of a flood is taken."""
    last = -1
    while stream.sent != last:
        last = stream.sent
        time.sleep(0.2)


def slow():
    """One caller stops reading in the middle of a large answer."""
    size = 64 * MIB
    [(reader, stream)] = begun(1)
    others = begun(8)
    check(all(other.link is stream.link for _, other in others), "eight streams beside one that will be large")
    before = door.memory()
    block = bytes(range(256)) * 256
    flood = stream.flood(block, size // len(block))
    settled(stream)
    more = door.memory() - before
    note(f"a caller that stops reading: the provider is {stream.sent / MIB:.1f} MiB ahead, {more / MIB:.1f} MiB more resident")
    # A window of 256 KiB, and what waits for the caller.
    check(stream.sent < 1 * MIB, "a caller that stops reading holds the provider back", stream.sent)
    check(more < 2 * MIB, "and costs no more memory than that", more)
    outcomes = []
    try:
        for turn in range(PIECES):
            outcomes += [exchange(other, beside, b"%d" % turn) for other, beside in others]
    except OSError as error:
        outcomes.append((repr(error), PATIENCE))
    equal([good for good, _ in outcomes], [True] * 8 * PIECES, "and does not stop the others")
    check(max(seconds for _, seconds in outcomes) < 1, "nor slow them", max(seconds for _, seconds in outcomes))
    got, digest, peak = 0, hashlib.sha256(), 0
    while piece := reader.piece():
        got += len(piece)
        digest.update(piece)
        peak = max(peak, door.memory() - before)
    flood.result(PATIENCE)
    equal((got, digest.hexdigest()), (size, hashlib.sha256(block * (size // len(block))).hexdigest()),
          "when it reads on, every byte comes, in order")
    note(f"{peak / MIB:.1f} MiB more at most while it reads on, {(door.memory() - before) / MIB:.1f} MiB afterwards")
    reader.close()
    row = door.row(reader.id)
    equal((row["end_state"], row["bytes_out"]), ("complete", size), "and its row counts them")
    equal(finish(others), (8, {"complete"}), "the others end whole")


def left_while_slow():
    """What was held back for a caller that leaves must not reach the next one that is slow."""
    others = begun(2)
    [(reader, stream)] = begun(1)
    stream.flood(b"A" * 65536, 64, ends=False)
    settled(stream)
    reader.close()
    check(stream.gone.wait(PATIENCE), "a caller that had stopped reading leaves; its stream ends")
    equal(door.row(reader.id)["end_state"], "client_gone", "and its row says so")
    [(reader, stream)] = begun(1)
    equal(stream.link is others[0][1].link, True, "the next one's answer comes by the same connection")
    stream.flood(b"B" * 65536, 64)
    settled(stream)
    got = b"".join(iter(reader.piece, b""))
    equal((len(got), set(got)), (64 * 65536, {ord("B")}), "it is slow too, and gets its own answer, nothing else")
    reader.close()
    equal(finish(others), (2, {"complete"}), "the others end whole")


def timed_out_while_slow():
    """The same where libcurl itself ends the transfer."""
    timed = Daemon(place(), configuration("[upstream]\ntotal_timeout = \"1500ms\"\n"))
    [(reader, stream)] = begun(1, timed)
    stream.flood(b"A" * 65536, 64, ends=False)
    settled(stream)
    others = begun(1, timed)
    check(others[0][1].link is stream.link, "a second stream on the connection of one whose caller is slow")
    check(wait(lambda: timed.rows("SELECT 1 FROM requests WHERE end_state = 'timeout'"), 5), "total_timeout ends the first")
    [(reader, stream)] = begun(1, timed)
    equal(stream.link is others[0][1].link, True, "the next one's answer comes by the same connection")
    stream.flood(b"B" * 65536, 64)
    settled(stream)
    got = b"".join(iter(reader.piece, b""))
    equal((len(got), set(got)), (64 * 65536, {ord("B")}), "and holds nothing of the first")
    equal(timed.stop(), 0, "SIGTERM ends it with 0")


def broken(stream, reader, what, daemon=None):
    """The caller sees that the answer is not whole, and so does the record."""
    try:
        rest = reader.rest()
        check(not rest.endswith(b"0\r\n\r\n"), f"{what}: the caller's transfer breaks", rest[-80:])
    except TimeoutError:
        check(False, f"{what}: the caller's transfer breaks", "it goes on")
    reader.close()
    row = (daemon or door).row(reader.id)
    equal((row["status"], row["end_state"]), (200, "truncated"), f"{what}: truncated, says its row")


def truncation():
    pairs = begun(6)
    links = len(upstream.links)
    for reader, stream in pairs:
        exchange(reader, stream, b"some")
    reader, stream = pairs.pop()
    stream.reset(INTERNAL_ERROR)
    broken(stream, reader, "RST_STREAM in the middle")
    [(reader, stream)] = begun(1)
    stream.flood(b"C" * 65536, 64, ends=False)
    settled(stream)
    stream.reset(INTERNAL_ERROR)
    broken(stream, reader, "RST_STREAM while the caller is slow")

    before = len(upstream.streams)
    reader = Reader(door)
    wait(lambda: len(upstream.streams) > before)
    stream = upstream.streams[before]
    stream.head(kind="application/json", content_length=64)
    stream.send(b"x" * 32)
    # With all of it in one read libcurl gives the answer up before its head: that is a 502.
    equal(reader.head(), 200, "a head that promises 64 bytes")
    stream.link.server.loop.call_soon_threadsafe(stream.link.raw_end, stream.number)
    body = reader.rest()
    check(len(body) < 64, "END_STREAM after half of Content-Length: the caller gets no more", body)
    equal(door.row(reader.id)["end_state"], "truncated", "and its row says truncated")

    before = len(upstream.streams)
    reader = Reader(door)
    wait(lambda: len(upstream.streams) > before)
    upstream.streams[before].reset(INTERNAL_ERROR)
    equal(reader.head(), 502, "RST_STREAM before the head: 502")
    equal(door.row(reader.id)["end_state"], "upstream_error", "and its row says so")

    equal([exchange(other, beside, b"on")[0] for other, beside in pairs], [True] * 5, "the streams beside them go on")
    equal(len(upstream.links), links, "on the same connection")
    pairs[0][1].link.abort()
    for reader, stream in pairs:
        broken(stream, reader, "the connection breaks")
    more = begun(1)
    equal((len(upstream.links), finish(more)), (links + 1, (1, {"complete"})), "the next request makes a new one")


ANSWER = b'{"model":"m-1","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":5}}'
DONE = b"data: [DONE]\n\n"


def asked(body, kind="application/json", daemon=None):
    """A request and its stream, with the head read."""
    before = len(upstream.streams)
    reader = Reader(daemon or cached, body, path="/v1/chat/completions")
    check_quietly(wait(lambda: len(upstream.streams) > before))
    stream = upstream.streams[before]
    check_quietly(stream.whole.wait(PATIENCE))
    stream.head(kind=kind)
    check_quietly(reader.head() == 200)
    return reader, stream


ENDS = {
    "RST_STREAM(NO_ERROR)": lambda stream: stream.reset(NO_ERROR),
    "RST_STREAM(INTERNAL_ERROR)": lambda stream: stream.reset(INTERNAL_ERROR),
    "END_STREAM": lambda stream: stream.end(),
    "a broken connection": lambda stream: stream.link.abort(),
    "GOAWAY and the connection's end": lambda stream: stream.link.go_away(),
}


def half_answers():
    """Half an answer is half, however cleanly its stream ends, and is never given again."""
    for name, end in ENDS.items():
        for part in (len(ANSWER) // 2, len(ANSWER) - 1):
            body = b'{"model":"m","messages":[],"seed":%d}' % part
            for turn in ("half a JSON answer", "asked again"):
                reader, stream = asked(body)
                check(b"X-Cache: MISS" in reader.fields, f"{name} at {part}, {turn}: goes to the provider", reader.fields)
                stream.send(ANSWER[:part])
                reader.piece()
                end(stream)
                broken(stream, reader, f"{name} at {part}, {turn}", cached)
    # A reset behind all of it is how some servers end a request whose body they did not read.
    reader, stream = asked(b'{"model":"m","messages":[],"seed":1}')
    stream.send(ANSWER)
    stream.reset(NO_ERROR)
    body = b"".join(iter(reader.piece, b""))
    equal((body, cached.row(reader.id)["end_state"]), (ANSWER, "complete"), "a whole answer before RST_STREAM(NO_ERROR) is whole")
    for name in ("RST_STREAM(NO_ERROR)", "END_STREAM"):
        reader, stream = asked(b'{"model":"m","messages":[],"stream":true}', "text/event-stream")
        stream.send(b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":""}]}\n\n')
        reader.piece()
        ENDS[name](stream)
        broken(stream, reader, f"{name} before a stream's marker", cached)


def last_words():
    """Behind its marker a stream is whole."""
    [(other, beside)] = begun(1, cached)
    for seed, (name, end) in enumerate([*ENDS.items(), ("silence", lambda stream: None)]):
        if "connection" in name:
            continue
        reader, stream = asked(b'{"model":"m","messages":[],"stream":true,"seed":%d}' % seed, "text/event-stream")
        stream.send(DONE)
        # Of what comes in one read with RST_STREAM libcurl drops what it has not handed on.
        body = b""
        while b"[DONE]" not in body:
            body += reader.piece()
        at = time.monotonic()
        end(stream)
        body += b"".join(iter(reader.piece, b""))
        seconds = time.monotonic() - at
        row = cached.row(reader.id)
        equal((body, row["end_state"], row["problem"]), (DONE, "complete", None), f"{name} behind [DONE]: whole")
        check(seconds < 5, f"{name} behind [DONE]: nobody is kept waiting", f"{seconds:.1f} s")
        if name == "silence":
            check(stream.gone.wait(PATIENCE), "its stream is given up")
    check(exchange(other, beside, b"on")[0], "the stream beside them goes on")
    reader, stream = asked(b'{"model":"m","messages":[],"stream":true,"seed":99}', "text/event-stream")
    stream.send(DONE)
    reader.piece()
    stream.link.abort()
    equal((reader.piece(), cached.row(reader.id)["end_state"]), (b"", "complete"), "the connection breaks behind [DONE]: whole")
    other.close()


def without_goodbye():
    """HTTP/1 over TLS: an answer that only the connection's end delimits, without close_notify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{home}/cert.pem", f"{home}/key.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    answers = [ANSWER[:40], ANSWER[:40]]

    def serve():
        for answer in answers:
            end, _ = listener.accept()
            with context.wrap_socket(end, server_side=True) as link:
                text = b""
                while b"\r\n\r\n" not in text:
                    text += link.recv(65536)
                link.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + answer)
                # Not unwrapped, so nothing is said of an end.

    threading.Thread(target=serve, daemon=True).start()
    daemon = Daemon(place(), CACHE + provider("one", listener.getsockname()[1], f"{home}/cert.pem"))
    for turn in ("first", "second"):
        reader = Reader(daemon, b'{"model":"m","messages":[]}', path="/v1/chat/completions")
        equal(reader.head(), 200, f"over TLS without close_notify, {turn}: a head")
        check(b"X-Cache: MISS" in reader.fields, "from the provider")
        broken(None, reader, f"over TLS without close_notify, {turn}", daemon)
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def alone():
    """The only stream of a connection is given up: nothing would send RST_STREAM later."""
    [(reader, stream)] = begun(1)
    exchange(reader, stream, b"half")
    at = time.monotonic()
    reader.close()
    check(stream.gone.wait(PATIENCE), "a caller that leaves alone ends its stream, or the connection")
    check(stream.gone_at and stream.gone_at - at < 0.5, "at once", stream.gone_at and stream.gone_at - at)
    before = len(upstream.streams)
    reader = Reader(door)
    wait(lambda: len(upstream.streams) > before)
    at = time.monotonic()
    reader.close()
    stream = upstream.streams[before]
    check(stream.gone.wait(PATIENCE) and stream.gone_at - at < 0.5, "one that leaves before the head too")
    equal(finish(begun(1)), (1, {"complete"}), "and the next request is answered")


def upload(size=24 * MIB):
    """Larger than what is read whole, so streamed."""
    others = begun(2)
    body = (b"0123456789abcdef" * 65536) * (size // MIB)
    before, count = door.memory(), len(upstream.streams)
    reader = Reader(door, body)
    wait(lambda: len(upstream.streams) > count)
    stream = upstream.streams[count]
    check(stream.whole.wait(PATIENCE), "an upload ends")
    equal((stream.received, stream.digest.hexdigest()), (size, hashlib.sha256(body).hexdigest()),
          f"{size // MIB} MiB up over HTTP/2 arrive as they are")
    more = door.memory("VmHWM") - before
    check(more < size / 2, "and are not kept", f"{more} bytes more")
    stream.head()
    equal(reader.head(), 200, "and are answered")
    equal(finish(others + [(reader, stream)]), (3, {"complete"}), "and all end whole")


def interim_heads(count=20_000):
    """1xx heads without end; HPACK makes each a few bytes on the wire."""
    daemon = Daemon(place(), configuration())
    reader, stream = begun(1, daemon)[0]
    check(exchange(reader, stream, b"on")[0], "before 1xx heads without end")
    reader.close()
    before, began = daemon.memory(), len(upstream.streams)
    reader = Reader(daemon)
    wait(lambda: len(upstream.streams) > began)
    sent = upstream.streams[began].announce([(":status", "103"), ("link", "<" + "a" * 400 + ">")], count)
    try:
        reader.until(b"HTTP/1.1 502 ")
        refused = True
    except (EOFError, OSError):
        refused = False
    check(refused, "1xx heads without end: the caller hears 502", reader.raw[-200:])
    sent = sent.result(PATIENCE)
    more = daemon.memory("VmHWM") - before
    note(f"1xx heads over HTTP/2: {sent} of {count} went, {more / MIB:.1f} MiB more")
    check(more < 16 * MIB, "without memory for them", more)
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def asking(daemon=None):
    """A request that has arrived, and its stream, on which nothing was said yet."""
    before = len(upstream.streams)
    reader = Reader(daemon or door)
    check_quietly(wait(lambda: len(upstream.streams) > before))
    stream = upstream.streams[before]
    check_quietly(stream.whole.wait(PATIENCE))
    return reader, stream


def refused():
    """What the provider has not worked on goes out once more, over another connection."""
    others = begun(1)
    reader, first = asking()
    check(first.link is others[0][1].link, "a request beside another")
    count = len(upstream.streams)
    first.reset(REFUSED_STREAM)
    check(wait(lambda: len(upstream.streams) > count), "REFUSED_STREAM: it comes once more")
    again = upstream.streams[count]
    check(again.link is not first.link, "over another connection")
    check(again.whole.wait(PATIENCE) and again.digest.digest() == first.digest.digest(), "with the same body")
    again.head()
    equal(reader.head(), 200, "and is answered")

    lost, stream = asking()
    count = len(upstream.streams)
    stream.reset(REFUSED_STREAM)
    check_quietly(wait(lambda: len(upstream.streams) > count))
    upstream.streams[count].reset(REFUSED_STREAM)
    equal(lost.head(), 502, "one that is refused twice is refused")
    lost.close()
    equal(finish(others + [(reader, again)]), (2, {"complete"}), "the others end whole")
    equal(tries(door, reader), ["refused_stream", "ok"], "and the record says what came of both tries")
    equal(tries(door, lost), ["refused_stream", "refused_stream"], "and of those in vain")


def tries(daemon, reader):
    daemon.row(reader.id)
    rows = daemon.rows("SELECT reason FROM attempts WHERE request_id = ? ORDER BY n", number(reader.id))
    return [row["reason"] for row in rows]


def going_away():
    """GOAWAY: what it covers ends where it is, the rest goes elsewhere."""
    pairs = begun(2)
    reader, late = asking()
    link = pairs[0][1].link
    check(late.link is link and pairs[1][1].link is link, "three streams on a connection")
    count = len(upstream.streams)
    link.refuse_above(max(stream.number for _, stream in pairs))
    check(wait(lambda: len(upstream.streams) > count), "GOAWAY sends the last of them elsewhere")
    again = upstream.streams[count]
    check(again.link is not link, "over another connection")
    again.head()
    equal(reader.head(), 200, "where it is answered")
    equal([exchange(other, beside, b"on")[0] for other, beside in pairs], [True] * 2, "the others go on where they are")
    more = begun(1)
    check(more[0][1].link is again.link, "the next request goes by the new connection")
    equal(finish(pairs + more + [(reader, again)]), (4, {"complete"}), "and all of them end whole")
    check(wait(lambda: not link.is_open), "the old connection is closed")


def older():
    """A provider that wants HTTP/1.1 for a request."""
    global upstream
    usual = upstream
    upstream = H2Upstream(f"{home}/cert.pem", f"{home}/key.pem")
    daemon = Daemon(place(), configuration())
    beside = begun(1, daemon)
    reader, stream = asking(daemon)
    stream.reset(HTTP_1_1_REQUIRED)
    equal(reader.head(), 200, "HTTP_1_1_REQUIRED: the request goes out over HTTP/1.1")
    equal((tries(daemon, reader), daemon.row(reader.id)["end_state"]), (["http_1_1_required", "ok"], "complete"),
          "and the record says so")
    equal(daemon.ask().status, 200, "as does the next")
    equal((len(upstream.over1), len(upstream.streams), upstream.faults), (2, 2, []), "which is not tried over HTTP/2")
    equal(finish(beside, daemon), (1, {"complete"}), "and what was under way ends where it is")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")
    upstream = usual


def limited():
    """A provider that allows four streams at once on a connection."""
    global upstream
    usual = upstream
    upstream = H2Upstream(f"{home}/cert.pem", f"{home}/key.pem", limit=4)
    daemon = Daemon(place(), configuration())
    pairs = begun(1, daemon)
    pairs += begun(11, daemon)
    counts = [sum(stream.link is link for _, stream in pairs) for link in upstream.links]
    equal(counts, [4, 4, 4], "12 streams where 4 may go by one connection")
    wholes = 0
    for reader, stream in pairs:
        stream.send(DONE)
        stream.end()
        wholes += reader.piece() == DONE and reader.piece() == b""
        reader.close()
    equal((wholes, upstream.faults), (12, []), "all end whole, and nothing was against the protocol")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")
    upstream = usual


home = place()
certificate(home)
upstream = H2Upstream(f"{home}/cert.pem", f"{home}/key.pem")


CACHE = '[cache]\nenable = true\nmax_age = "1h"\n'


def configuration(more=""):
    # It breaks off many an answer.
    return more + "[failover]\nbreaker_failures = 0\n" + provider("one", upstream.port, f"{home}/cert.pem")


door = Daemon(place(), configuration())
streams()
cancel()
alone()
upload()
slow()
left_while_slow()
timed_out_while_slow()
truncation()
cached = Daemon(place(), configuration(CACHE))
half_answers()
last_words()
equal(cached.stop(), 0, "SIGTERM ends it with 0")
without_goodbye()
refused()
going_away()
older()
limited()
interim_heads()
equal(upstream.faults, [], "nothing was against the protocol")
equal(door.stop(), 0, "SIGTERM ends it with 0")
done()
