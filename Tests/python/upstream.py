# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""A provider on 127.0.0.1 that speaks OpenAI's and Anthropic's dialects, and a little of Gemini's, and remembers what it saw.

  upstream.py PORT   serves there until it is killed

The model's name asks for a behaviour:
  tools   a tool call               hang    no answer at all         long    SSE for about ten seconds
  bad-key 401                       echo    the request's own body   burst   five events, 10 ms apart
  broken  SSE whose connection breaks off
  saw     a digest of the credentials that came, never the key itself, so that a search for the key finds leaks only; as
          a stream 40 events over 4 seconds
"""

import collections
import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = ["Good", " morning", ",", " door", " god", "."]
TEXT = "".join(WORDS)
KEPT_BODY = 1 << 16


class Call:
    """One request as it arrived."""

    def __init__(self, method, path, fields):
        self.method, self.path, self.fields = method, path, fields
        self.body, self.length, self.sha256 = b"", 0, ""
        self.left = threading.Event()
        self.sent = 0

    def field(self, name):
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    def saw(self):
        """What `saw` answers."""
        return {"authorization": hashlib.sha256((self.field("Authorization") or "").encode()).hexdigest(),
                "others": [name for name in ("x-api-key", "api-key", "cookie") if self.field(name) is not None]}

    def text(self):
        return "\n".join([self.path] + [f"{key}: {value}" for key, value in self.fields]).encode() + b"\n" + self.body


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it each answer waits 40 ms for the other side's acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = 65536

    def do_GET(self):
        self.receive()
        if self.path.partition("?")[0].endswith("/models"):
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "here"} for name in ("one", "two")]
            self.plain({"object": "list", "data": models})
        elif "/bytes/" in self.path:
            self.bytes(int(self.path.rsplit("/", 1)[1]))
        else:
            self.plain({"error": {"message": "no such path"}}, 404)

    def do_POST(self):
        call = self.receive()
        if self.path.endswith("/upload"):
            return self.plain({"length": call.length, "sha256": call.sha256})
        request = json.loads(call.body)
        model = request.get("model", "")
        if model == "hang":
            # Until the proxy gives up and closes.
            self.connection.settimeout(20)
            try:
                self.connection.recv(1)
            except OSError:
                pass
            call.left.set()
            self.close_connection = True
        elif model == "bad-key":
            self.plain({"error": {"message": "Incorrect API key.", "type": "invalid_request_error", "code": "invalid_api_key"}}, 401)
        elif model == "echo":
            self.plain({"echo": request})
        elif self.path.partition("?")[0].endswith(":generateContent"):
            self.generate(self.path.rsplit("/", 1)[1].partition(":")[0])
        elif self.path.endswith("/messages"):
            self.messages(request)
        else:
            self.completions(request, call)

    # Dialects

    def completions(self, request, call):
        base = {"id": "chatcmpl-1", "created": 1, "model": request["model"]}
        message = {"role": "assistant", "content": TEXT}
        if request["model"] == "tools":
            function = {"name": "weather", "arguments": '{"city": "Xi\u2019an"}'}
            message = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
        if request["model"] == "saw":
            if request.get("stream"):
                return self.stream([f'data: {{"event": {number}}}\n\n' for number in range(40)] + ["data: [DONE]\n\n"], 0.1, call)
            return self.plain({"object": "chat.completion", "model": "saw", "choices": [], "saw": call.saw()})
        if not request.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
            usage = {"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9}
            return self.plain({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
        if request["model"] == "strict" and "stream_options" in request:
            return self.plain({"error": {"message": "stream_options: Extra inputs are not permitted", "type": "invalid_request_error"}}, 422)
        # As OpenAI's: each chunk has the member then, and one more comes that has no choices.
        counts = (request.get("stream_options") or {}).get("include_usage")

        def event(choices, **more):
            return "data: " + json.dumps({**base, "object": "chat.completion.chunk", "choices": choices, **more}) + "\n\n"

        def chunk(delta, reason=None):
            return event([{"index": 0, "delta": delta, "finish_reason": reason}], **({"usage": None} if counts else {}))

        pieces = [chunk({"role": "assistant", "content": ""})] + [chunk({"content": word}) for word in WORDS]
        gap = 0
        if request["model"] == "long":
            pieces, gap = [chunk({"content": "."})] * 200, 0.05
        elif request["model"] == "burst":
            pieces, gap = [chunk({"content": "."})] * 5, 0.01
        elif request["model"] == "broken":
            return self.stream(pieces, 0, call, ends=False)
        usage = [event([], usage={"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9})] if counts else []
        self.stream(pieces + [chunk({}, "stop"), *usage, "data: [DONE]\n\n"], gap, call)

    def messages(self, request):
        usage = {"input_tokens": 3, "output_tokens": 6}
        message = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "stop_sequence": None,
        }
        if not request.get("stream"):
            content = [{"type": "text", "text": TEXT}]
            return self.plain({**message, "content": content, "stop_reason": "end_turn", "usage": usage})

        def event(kind, **fields):
            return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"

        deltas = [
            event("content_block_delta", index=0, delta={"type": "text_delta", "text": word}) for word in WORDS
        ]
        self.stream([
            event("message_start", message={**message, "content": [], "stop_reason": None, "usage": usage}),
            event("content_block_start", index=0, content_block={"type": "text", "text": ""}), event("ping"), *deltas,
            event("content_block_stop", index=0),
            event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 6}),
            event("message_stop"),
        ], 0)

    def generate(self, model):
        candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": TEXT}]}, "finishReason": "STOP"}
        usage = {"promptTokenCount": 3, "candidatesTokenCount": 6, "totalTokenCount": 9}
        self.plain({"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "r1"})

    # HTTP

    def receive(self):
        call = Call(self.command, self.path, self.headers.items())
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
            call.length += len(block)
            if len(call.body) < KEPT_BODY:
                call.body += block[:KEPT_BODY - len(call.body)]
        call.sha256 = digest.hexdigest()
        self.server.calls.append(call)
        return call

    def blocks(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            block = self.rfile.read1(min(left, 1 << 18))
            if not block:
                raise ConnectionError
            left -= len(block)
            yield block

    def head(self, status, fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()

    def plain(self, value, status=200):
        text = json.dumps(value).encode()
        self.head(status, {"Content-Type": "application/json", "x-request-id": "upstream-1", "Content-Length": str(len(text))})
        self.wfile.write(text)
        self.wfile.flush()

    def stream(self, pieces, gap, call=None, ends=True):
        self.head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        try:
            for piece in pieces:
                data = piece.encode()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
                self.wfile.flush()
                time.sleep(gap)
            if ends:
                self.wfile.write(b"0\r\n\r\n")
                self.wfile.flush()
            self.close_connection = not ends
        except OSError:
            if call:
                call.left.set()
            self.close_connection = True

    def bytes(self, count):
        """`count` bytes as fast as they are taken; `call.sent` says how far it is."""
        call = self.server.calls[-1]
        self.head(200, {"Content-Type": "application/octet-stream", "Content-Length": str(count)})
        self.wfile.flush()
        block = bytes(range(256)) * 256
        while call.sent < count:
            piece = block[:count - call.sent]
            self.connection.sendall(piece)
            call.sent += len(piece)

    def log_message(self, *_):
        pass


class Upstream(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port=0, kept=None):
        """Remembers all requests, or the last `kept`."""
        super().__init__(("127.0.0.1", port), Handler)
        self.calls = [] if kept is None else collections.deque(maxlen=kept)
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        """A proxy that was killed is no news."""


if __name__ == "__main__":
    Upstream(int(sys.argv[1]), kept=1)
    threading.Event().wait()
