# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""A provider on 127.0.0.1 that speaks HTTP/2 over TLS and does on each stream what the test says, when it says so."""

import asyncio
import hashlib
import ssl
import threading
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from harness import PATIENCE

FRAME = 16384
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, HTTP_1_1_REQUIRED = 0, 2, 7, 13


class Stream:
    """One request. The methods are for the test's threads; they return when the bytes are with the kernel's socket or,
    `flood` excepted, wait for the flow-control window."""

    def __init__(self, link, number, fields):
        self.link, self.number = link, number
        self.fields = {name.decode(): value.decode() for name, value in fields}
        self.path = self.fields[":path"]
        self.received, self.digest = 0, hashlib.sha256()
        self.whole, self.gone, self.room = threading.Event(), threading.Event(), asyncio.Event()
        # When and with which code the other side ended it.
        self.gone_at, self.code = None, None
        self.sent = 0

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.link.server.loop).result(PATIENCE)

    def head(self, status=200, kind="text/event-stream", **more):
        fields = [(":status", str(status)), ("content-type", kind)] + [(key.replace("_", "-"), str(value)) for key, value in more.items()]
        self.do(self.link.act(lambda h2: h2.send_headers(self.number, fields)))

    def send(self, data):
        self.do(self.push(data))

    def flood(self, data, times, ends=True):
        """Sends as fast as it is taken, beside the caller; `sent` says how far it is."""
        async def work():
            for _ in range(times):
                await self.push(data)
            if ends:
                await self.link.act(lambda h2: h2.end_stream(self.number))

        return asyncio.run_coroutine_threadsafe(work(), self.link.server.loop)

    def announce(self, fields, times):
        """Sends that 1xx head again and again until the other side ends the stream; how often, when that is done."""
        async def work():
            for number in range(times):
                await self.link.writable.wait()
                if self.gone.is_set():
                    return number
                try:
                    await self.link.act(lambda h2: h2.send_headers(self.number, fields))
                except ProtocolError:
                    return number
                if number % 16 == 0:
                    # What the other side says is heard.
                    await asyncio.sleep(0)
            return times

        return asyncio.run_coroutine_threadsafe(work(), self.link.server.loop)

    def end(self):
        self.do(self.link.act(lambda h2: h2.end_stream(self.number)))

    def reset(self, code=INTERNAL_ERROR):
        self.do(self.link.act(lambda h2: h2.reset_stream(self.number, code)))

    async def push(self, data):
        start, h2 = 0, self.link.h2
        while start < len(data):
            await self.link.writable.wait()
            window = min(h2.local_flow_control_window(self.number), FRAME, len(data) - start)
            if window <= 0:
                self.room.clear()
                await self.room.wait()
                continue
            h2.send_data(self.number, data[start:start + window])
            self.link.flush()
            start += window
            self.sent += window


class Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, server):
        self.server = server
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        if server.limit:
            self.h2.local_settings = Settings(
                client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: server.limit})
        self.streams, self.writable = {}, asyncio.Event()
        self.writable.set()
        self.is_open = True

    def connection_made(self, transport):
        self.transport = transport
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            self.h2 = None
            return
        self.server.links.append(self)
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, error):
        self.is_open = False
        for stream in self.streams.values():
            self.leave(stream, None)

    def pause_writing(self):
        self.writable.clear()

    def resume_writing(self):
        self.writable.set()

    def data_received(self, data):
        if self.h2 is None:
            self.server.over1.append(data)
            return self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        try:
            for event in self.h2.receive_data(data):
                self.handle(event)
        except ProtocolError as error:
            self.server.faults.append(repr(error))
        self.flush()

    def handle(self, event):
        stream = self.streams.get(getattr(event, "stream_id", 0))
        if isinstance(event, RequestReceived):
            stream = self.streams[event.stream_id] = Stream(self, event.stream_id, event.headers)
            self.server.streams.append(stream)
        elif isinstance(event, DataReceived):
            stream.received += len(event.data)
            stream.digest.update(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            stream.whole.set()
        elif isinstance(event, StreamReset):
            self.leave(stream, event.error_code)
        elif isinstance(event, WindowUpdated):
            for each in [stream] if stream else self.streams.values():
                each.room.set()
        elif isinstance(event, ConnectionTerminated) and event.error_code:
            self.server.faults.append(f"GOAWAY {event.error_code}")

    @staticmethod
    def leave(stream, code):
        if not stream.gone.is_set():
            stream.gone_at, stream.code = time.monotonic(), code
            stream.gone.set()

    async def act(self, step):
        step(self.h2)
        self.flush()

    def flush(self):
        if data := self.h2.data_to_send():
            self.transport.write(data)

    def raw_end(self, number):
        """An empty DATA frame with END_STREAM, whatever was promised."""
        self.transport.write(b"\0\0\0\0\1" + number.to_bytes(4, "big"))

    def refuse_above(self, number):
        """GOAWAY that leaves out the streams above that one; the others go on."""
        frame = b"\0\0\x08\7\0\0\0\0\0" + number.to_bytes(4, "big") + NO_ERROR.to_bytes(4, "big")
        self.server.loop.call_soon_threadsafe(self.transport.write, frame)

    def go_away(self):
        """GOAWAY that leaves no stream out, and the end of the connection."""
        def step():
            self.h2.close_connection()
            self.flush()
            self.transport.close()

        self.server.loop.call_soon_threadsafe(step)

    def abort(self):
        """The connection breaks, without a word of HTTP/2 or TLS."""
        self.server.loop.call_soon_threadsafe(self.transport.abort)


class H2Upstream:
    """`limit`: how many streams at once it allows on a connection. `change`: of its ssl.SSLContext."""

    def __init__(self, certificate, key=None, limit=None, change=None):
        self.limit = limit
        self.loop = asyncio.new_event_loop()
        # In the order of arrival; what the other side did against the protocol.
        self.links, self.streams, self.faults = [], [], []
        # What comes over HTTP/1.1, read by read.
        self.over1 = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["h2"])
        if change:
            change(context)
        self.server = self.loop.run_until_complete(
            self.loop.create_server(lambda: Link(self), "127.0.0.1", 0, ssl=context, backlog=128))
        self.port = self.server.sockets[0].getsockname()[1]
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
