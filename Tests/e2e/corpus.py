# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Tests/Corpus: its cases, a provider that answers with them byte for byte, and a caller that sees how a transfer ends.

A request names its case in `x-corpus: FAMILY/CASE`; several with `|` between them are for the tries of an SDK. Headers
`x-corpus-pieces` (whole, seven, event, hold) and `x-corpus-coding` (gzip, br, zstd) choose how it is sent.
"""

import glob
import json
import os
import re
import socket
import threading
import zlib

import brotli
import zstandard

from harness import PATIENCE

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Corpus")
KINDS = ("openai", "anthropic", "gemini", "azure", "bedrock")
KEYS = {kind: f"sk-{kind}-the-real-key-0c5e" for kind in KINDS}


class Case:
    def __init__(self, name, content, body):
        self.name, self.body = name, body
        self.about, self.request, self.answer = content["about"], content["request"], content["answer"]
        self.record, self.closing = content["record"], content["closing"]
        self.is_broken, self.breaks = content["transport"] == "broken", content["caller"] == "broken"

    @property
    def is_stream(self):
        return self.answer["headers"].get("content-type", "").startswith("text/event-stream")

    @property
    def has_length(self):
        """Providers tell the length of what they do not stream."""
        return not self.is_stream and not self.record.get("stream") and not self.answer.get("chunked")

    def events(self):
        """The body in pieces that end where events end; the last may be part of one."""
        if not self.is_stream:
            return [self.body]
        return re.findall(rb".+?(?:\r\n\r\n|\n\n|\Z)", self.body, re.DOTALL)

    def asked(self):
        """The request's fields and body."""
        body = self.request.get("body")
        fields = {} if body is None else {"Content-Type": "application/json"}
        fields.update({name.title(): value for name, value in self.request.get("headers", {}).items()})
        text = body if isinstance(body, str) else "" if body is None else json.dumps(body, ensure_ascii=False)
        return fields, text.encode()


def load():
    cases = {}
    for path in sorted(glob.glob(f"{HERE}/*/*.json")):
        name = os.path.relpath(path, HERE).removesuffix(".json")
        with open(path, encoding="utf-8") as file, open(path.removesuffix("json") + "body", "rb") as body:
            cases[name] = Case(name, json.load(file), body.read())
    return cases


# Every error shall come through, however many came before it.
PATIENT = "[failover]\nbreaker_failures = 0\nobey_retry_after = false\n"


def providers(upstream):
    """One of each kind, called c-KIND, for a configuration. Answers are compared byte by byte, so what menshen adds stays in."""
    base = {"openai": "/v1"}
    return PATIENT + "".join(
        f'[[providers]]\nname = "c-{kind}"\nkind = "{kind}"\nbase_url = "{upstream.url}{base.get(kind, "")}"\napi_key = "{KEYS[kind]}"\nstrip_added_usage = false\n'
        for kind in KINDS)


# Encodings

def encoder(coding):
    """Two functions: compress and flush; end."""
    if coding == "gzip":
        tool = zlib.compressobj(wbits=31)
        return lambda data: tool.compress(data) + tool.flush(zlib.Z_SYNC_FLUSH), tool.flush
    if coding == "br":
        tool = brotli.Compressor()
        return lambda data: tool.process(data) + tool.flush(), tool.finish
    tool = zstandard.ZstdCompressor().compressobj()
    return lambda data: tool.compress(data) + tool.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK), tool.flush


def pieces_of(case, how, coding):
    """What the provider sends, piece by piece, encoded if asked."""
    pieces = [case.body] if how == "whole" else case.events()
    if coding:
        compress, end = encoder(coding)
        pieces = [compress(piece) for piece in pieces] + [end()]
        if how == "whole":
            pieces = [b"".join(pieces)]
    if how == "seven":
        data = b"".join(pieces)
        pieces = [data[at:at + 7] for at in range(0, len(data), 7)]
    return [piece for piece in pieces if piece]


class Upstream:
    """The provider."""

    def __init__(self, cases):
        self.cases = cases
        # (case, path, fields in lower case, body) of each request.
        self.calls = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            end, _ = self.listener.accept()
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(end,), daemon=True).start()

    def serve(self, end):
        with end, end.makefile("rb") as file:
            try:
                while self.exchange(end, file):
                    pass
            except OSError:
                pass

    def exchange(self, end, file):
        """One request and its answer; False if the connection is to be closed."""
        line = file.readline().decode("latin-1")
        if not line:
            return False
        fields = {}
        while (field := file.readline().decode("latin-1").rstrip("\r\n")):
            name, _, value = field.partition(":")
            fields[name.lower()] = value.strip()
        body = file.read(int(fields.get("content-length", 0)))
        names = fields["x-corpus"].split("|")
        case = self.cases[names[min(int(fields.get("x-stainless-retry-count", 0)), len(names) - 1)]]
        self.calls.append((case.name, line.split()[1], fields, body))
        how, coding = fields.get("x-corpus-pieces", "whole" if case.has_length else "event"), fields.get("x-corpus-coding")
        pieces = pieces_of(case, how, coding)
        head = f"HTTP/1.1 {case.answer['status']} Status\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in case.answer["headers"].items())
        if coding:
            head += f"content-encoding: {coding}\r\n"
        if how == "whole" and case.has_length:
            length = sum(map(len, pieces)) + (100 if case.is_broken else 0)
            end.sendall(f"{head}content-length: {length}\r\n\r\n".encode() + b"".join(pieces))
            return not case.is_broken
        end.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
        for chunk in [b"".join(chunks)] if how == "seven" else chunks:
            end.sendall(chunk)
        if how == "hold":
            # Until the other side leaves.
            file.read(1)
            return False
        if case.is_broken:
            return False
        end.sendall(b"0\r\n\r\n")
        return True


# The caller

class Seen:
    """An answer as its raw bytes tell it. `is_whole`: it ended as HTTP says that it must."""

    def __init__(self, raw):
        head, _, rest = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0] else None
        self.fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.id = self.fields.get("x-menshen-request-id")
        if self.fields.get("transfer-encoding") == "chunked":
            self.body, self.is_whole = self.joined(rest)
        else:
            self.body, self.is_whole = rest, len(rest) == int(self.fields.get("content-length", -1))

    @staticmethod
    def joined(rest):
        body = []
        while True:
            size, found, rest = rest.partition(b"\r\n")
            if not found:
                return b"".join(body), False
            count = int(size, 16)
            if count == 0:
                return b"".join(body), rest.endswith(b"\r\n")
            body.append(rest[:count])
            if len(rest) < count + 2:
                return b"".join(body), False
            rest = rest[count + 2:]


def play(path, case, how="event", coding=None, prefix="", leave_after=None):
    """Asks the daemon at socket `path`; with `leave_after`, only until the answer holds these bytes."""
    fields, body = case.asked()
    fields |= {"Host": "localhost", "Connection": "close", "X-Corpus": case.name, "X-Corpus-Pieces": how}
    if coding:
        fields |= {"X-Corpus-Coding": coding, "Accept-Encoding": coding}
    if body:
        fields["Content-Length"] = str(len(body))
    head = f"{case.request['method']} {prefix}{case.request['path']} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(PATIENCE)
        end.connect(path)
        end.sendall(head.encode() + b"\r\n" + body)
        raw = bytearray()
        try:
            while data := end.recv(1 << 16):
                raw += data
                if leave_after and leave_after in raw:
                    break
        except ConnectionResetError:
            pass
    return Seen(bytes(raw))
