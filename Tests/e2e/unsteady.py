# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Providers on 127.0.0.1 that speak HTTP/1.1 and HTTP/2 over TLS, and close, reset, refuse, cut, GOAWAY and restart at random. They
keep book of the requests that they have read, said to be untouched, or hurt."""

import asyncio
import collections
import hashlib
import math
import random
import socket
import ssl
import struct
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated

from h2upstream import FRAME, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM
from harness import PATIENCE

KINDS = {"plain": 50, "stream": 28, "upload": 10, "leaves": 7, "slow": 5}
SLOW, UPLOAD, GAP = 600_000, 300_000, 0.01
# Seconds behind an answer: about when the next request comes.
SOON = (0, 0.0002, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.3)
draw = random.Random()

# By number: how often it was read and not said to be untouched, how often said to be, and what was done to it.
read, refused, hurt = collections.Counter(), collections.Counter(), {}
deeds, faults = collections.Counter(), []


def chance(share):
    return draw.random() < share


def answer(kind, index, digest, usage=False):
    """The pieces of what a provider says; `usage` is the event that menshen asks for and keeps to itself."""
    if kind in ("stream", "leaves"):
        events = [f'{{"id":"{index}","choices":[{{"index":0,"delta":{{"content":"{part}"}}}}]}}' for part in range(8)]
        events.append(f'{{"id":"{index}","choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}]}}')
        events += ['{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":8}}'] * usage + ["[DONE]"]
        return [f"data: {event}\n\n".encode() for event in events]
    text = f"{index}." * ((SLOW if kind == "slow" else 300) // len(f"{index}."))
    whole = (f'{{"id":"{index}","sha256":"{digest}","choices":[{{"index":0,"finish_reason":"stop","message":'
             f'{{"role":"assistant","content":"{text}"}}}}],"usage":{{"prompt_tokens":3,"completion_tokens":8}}}}').encode()
    return [whole[:len(whole) // 2], whole[len(whole) // 2:]]


class Call:
    """A request at a provider, from its head on."""

    def __init__(self, fields, stream=0):
        self.number, self.stream = int(fields["x-number"]), stream
        self.length = int(fields.get("content-length", 0))
        self.body, self.is_gone, self.has_head = bytearray(), False, False
        self.is_spared = refused[self.number] > 0


class Wire(asyncio.Protocol):
    """A connection, with TLS of its own: after its end what had come before is still read."""

    def __init__(self, server):
        self.server, self.calls, self.room = server, {}, asyncio.Event()
        self.is_up = self.is_over = self.has_served = False

    def connection_made(self, transport):
        self.transport, self.socket = transport, transport.get_extra_info("socket")
        self.inside, self.outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.server.context.wrap_bio(self.inside, self.outside, server_side=True)
        self.server.wires.add(self)
        deeds["connections"] += 1

    def connection_lost(self, error):
        self.is_over = True
        self.server.wires.discard(self)
        for call in self.calls.values():
            call.is_gone = True
        self.room.set()

    def data_received(self, data):
        self.inside.write(data)
        try:
            if not self.is_up:
                self.tls.do_handshake()
                self.is_up = True
                self.began()
            while block := self.tls.read(65536):
                self.took(block)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            deeds[f"their TLS: {error.reason}"] += 1
            self.transport.abort()
        self.flush()

    def flush(self):
        data = self.outside.read()
        if data and not self.is_over:
            self.transport.write(data)

    def send(self, data):
        if not self.is_over:
            self.tls.write(data)
            self.flush()

    def has_read(self, call):
        self.has_served = True
        read[call.number] += 1
        if self.is_over:
            hurt[call.number] = "came before the end"

    def begin(self, call, work):
        self.server.start(self.serve(call, bytes(work)))

    async def serve(self, call, work):
        """Answers, or what a provider does in place of that."""
        kind = next(each for each in KINDS if f'"model":"{each}"'.encode() in work[:40])
        pieces = answer(kind, call.number, hashlib.sha256(work).hexdigest(), b'"include_usage"' in work)
        strikes = None if call.is_spared or not chance(0.03) else draw.randrange(-1, len(pieces))
        await asyncio.sleep(draw.uniform(0, 0.03))
        for index, piece in enumerate(pieces):
            if call.is_gone or self.is_over:
                return
            if strikes is not None and strikes < index:
                return self.strike(call)
            if not call.has_head:
                call.has_head = True
                self.head(call, "text/event-stream" if len(pieces) > 2 else "application/json", sum(map(len, pieces)))
            await self.push(call, piece)
            await asyncio.sleep(GAP if len(pieces) > 2 else 0)
        if call.is_gone or self.is_over:
            return
        self.finish(call)
        self.calls.pop(call.stream, None)
        self.afterwards(call)

    def part(self, notify):
        """Ends it in order, while nothing is under way. What the kernel had by then is read; what comes later is reset."""
        if self.is_over or self.calls:
            return
        if self.transport.get_write_buffer_size():
            return self.server.loop.call_later(0.002, self.part, notify)
        deeds["closed with close_notify" if notify else "closed"] += 1
        # Right behind the handshake a request may be waiting in `inside`, which this would swallow.
        if notify and self.has_served:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            self.flush()
        self.is_over = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def abort(self, resets):
        """Ends it with all that is under way."""
        if self.is_over:
            return
        deeds["reset" if resets else "broken off"] += 1
        for call in self.calls.values():
            hurt[call.number] = "broken off"
        self.server.resets.append(time.monotonic())
        self.is_over = True
        if resets:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Over1(Wire):
    def began(self):
        self.raw = bytearray()

    def took(self, block):
        self.raw += block
        call = self.calls.get(0)
        if not call and b"\r\n\r\n" in self.raw:
            head, _, self.raw = self.raw.partition(b"\r\n\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
            call = self.calls[0] = Call(fields)
            self.has_read(call)
            if call.length > UPLOAD and chance(0.05):
                return self.strike(call)
        if call and not call.body and len(self.raw) >= call.length and not self.is_over:
            call.body, self.raw = self.raw, bytearray()
            self.begin(call, call.body)

    def head(self, call, kind, length):
        self.is_chunked = kind == "text/event-stream" or chance(0.3)
        framing = "Transfer-Encoding: chunked" if self.is_chunked else f"Content-Length: {length}"
        self.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n".encode())

    async def push(self, call, data):
        self.send(b"%x\r\n%b\r\n" % (len(data), data) if self.is_chunked else data)

    def finish(self, call):
        if self.is_chunked:
            self.send(b"0\r\n\r\n")

    def strike(self, call):
        self.abort(resets=chance(0.5))

    def afterwards(self, call):
        if chance(0.25):
            self.server.loop.call_later(draw.choice(SOON), self.part, chance(0.5))


class Over2(Wire):
    def began(self):
        self.h2, self.last = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8")), None
        self.newest = 0
        self.h2.initiate_connection()
        self.say()

    def say(self):
        self.send(self.h2.data_to_send())

    def took(self, block):
        for event in self.h2.receive_data(block):
            call = self.calls.get(getattr(event, "stream_id", 0))
            if isinstance(event, RequestReceived):
                self.newest = event.stream_id
                self.asked(Call(dict(event.headers), event.stream_id))
            elif isinstance(event, DataReceived):
                if call:
                    call.body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded) and call and not self.is_over:
                self.begin(call, call.body)
            elif isinstance(event, StreamReset) and call:
                call.is_gone = True
                del self.calls[call.stream]
                self.room.set()
                self.leave_if_done()
            elif isinstance(event, WindowUpdated):
                self.room.set()
        self.say()

    def asked(self, call):
        if self.last is not None and call.stream > self.last:
            return self.untouched(call)
        if not self.is_over and not call.is_spared and chance(0.03):
            self.h2.reset_stream(call.stream, REFUSED_STREAM)
            deeds["REFUSED_STREAM"] += 1
            return self.untouched(call)
        self.has_read(call)
        self.calls[call.stream] = call
        last = draw.choice(list(self.calls)) - 2
        if chance(0.02) and not any(each.is_spared or each.has_head for each in self.calls.values() if each.stream > last):
            self.go_away(last)

    def untouched(self, call):
        refused[call.number] += 1

    def go_away(self, last):
        """Streams above `last` are not worked on; the others go on."""
        if self.is_over or not self.is_up or self.last is not None:
            return
        self.last = max(last, 0)
        deeds["GOAWAY below open streams" if last < self.newest else "GOAWAY"] += 1
        self.say()
        self.send(b"\0\0\x08\7\0\0\0\0\0" + self.last.to_bytes(4, "big") + NO_ERROR.to_bytes(4, "big"))
        for call in [each for each in self.calls.values() if each.stream > self.last]:
            read[call.number] -= 1
            call.is_gone = True
            del self.calls[call.stream]
            self.untouched(call)
        self.leave_if_done()

    def leave_if_done(self):
        if self.last is not None and not self.calls:
            self.server.loop.call_later(draw.uniform(0, 0.005), self.part, chance(0.5))

    def head(self, call, kind, length):
        more = [("content-length", str(length))] if kind == "application/json" and chance(0.5) else []
        self.h2.send_headers(call.stream, [(":status", "200"), ("content-type", kind), *more])

    async def push(self, call, data):
        while data and not call.is_gone and not self.is_over:
            window = min(self.h2.local_flow_control_window(call.stream), FRAME, len(data))
            if window <= 0:
                self.room.clear()
                await self.room.wait()
                continue
            self.h2.send_data(call.stream, data[:window])
            data = data[window:]
            self.say()

    def finish(self, call):
        self.h2.end_stream(call.stream)
        self.say()

    def strike(self, call):
        if chance(0.3):
            return self.abort(resets=chance(0.5))
        deeds["RST_STREAM"] += 1
        hurt[call.number] = "RST_STREAM"
        self.h2.reset_stream(call.stream, INTERNAL_ERROR)
        self.calls.pop(call.stream)
        self.say()
        self.leave_if_done()

    def afterwards(self, call):
        if chance(0.02):
            self.go_away(self.newest)
        elif chance(0.1):
            self.server.loop.call_later(draw.choice(SOON), self.part, chance(0.5))
        self.leave_if_done()


class Server:
    """A provider, and what it does to all of its connections at once."""

    def __init__(self, name, kind, home, loop):
        self.name, self.kind, self.loop, self.port = name, kind, loop, 0
        # When nobody listened, and when connections were reset.
        self.wires, self.windows, self.resets, self.tasks = set(), [], [], set()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{home}/cert.pem", f"{home}/key.pem")
        self.context.set_alpn_protocols(["h2" if kind is Over2 else "http/1.1"])
        asyncio.run_coroutine_threadsafe(self.listen(), loop).result(PATIENCE)
        self.troubles = asyncio.run_coroutine_threadsafe(self.trouble(), loop)

    async def listen(self):
        self.listener = await self.loop.create_server(lambda: self.kind(self), "127.0.0.1", self.port, backlog=128)
        self.port = self.listener.sockets[0].getsockname()[1]

    def start(self, work):
        task = self.loop.create_task(work)
        self.tasks.add(task)

        def over(task):
            self.tasks.discard(task)
            if not task.cancelled() and task.exception():
                faults.append(repr(task.exception()))
        task.add_done_callback(over)

    async def trouble(self):
        deck = [self.close_idle] * 8 + [self.reset_idle, self.break_one] * 2 + [self.refuse, self.restart] + [self.warn] * 4
        while True:
            for deed in draw.sample(deck, len(deck)):
                await asyncio.sleep(draw.uniform(0.2, 1.2))
                await deed()

    async def close_idle(self):
        for wire in [wire for wire in self.wires if wire.has_served and chance(0.7)]:
            wire.part(chance(0.5))

    async def reset_idle(self):
        for wire in [wire for wire in self.wires if wire.has_served and not wire.calls]:
            wire.abort(resets=True)

    async def break_one(self):
        for wire in [wire for wire in self.wires if wire.calls][:1]:
            wire.abort(resets=chance(0.5))

    async def warn(self):
        for wire in list(self.wires):
            if self.kind is Over2:
                wire.go_away(getattr(wire, "newest", 0))

    async def refuse(self):
        deeds["refuses"] += 1
        self.windows.append([time.monotonic(), math.inf])
        self.listener.close()
        await asyncio.sleep(draw.uniform(0.2, 1))
        await self.listen()
        self.windows[-1][1] = time.monotonic()

    async def restart(self):
        deeds["restarts"] += 1
        for wire in list(self.wires):
            wire.abort(resets=False) if wire.calls else wire.part(chance(0.5))
        await self.refuse()
