#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""An OpenAI-shaped provider on 127.0.0.1:9001 that says what it saw.

It answers with a digest of the credentials, never with the key, so that a search for the key afterwards finds leaks
only. A request with "stream": true gets 40 events over 4 seconds.
"""

import hashlib
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EVENTS, GAP = 40, 0.1


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it each answer waits 40 ms for the other side's acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = 65536

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seen = self.headers.get("Authorization", "")
        saw = {
            "authorization": hashlib.sha256(seen.encode()).hexdigest(),
            "others": [n for n in ("x-api-key", "api-key", "cookie") if n in self.headers],
        }
        if body.get("stream"):
            self.stream()
        else:
            self.plain(json.dumps({"object": "chat.completion", "model": body["model"], "choices": [], "saw": saw}))

    def plain(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
        self.wfile.flush()

    def stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(EVENTS):
            self.chunk(f'data: {{"event": {number}}}\n\n')
            time.sleep(GAP)
        self.chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def chunk(self, text):
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


Server(("127.0.0.1", 9001), Handler).serve_forever()
