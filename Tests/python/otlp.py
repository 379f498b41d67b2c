# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""A receiver of OpenTelemetry's protocol on 127.0.0.1 that reads with the official package, keeps what came, and can misbehave."""

import base64
import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

REQUESTS = {"/v1/traces": trace_service_pb2.ExportTraceServiceRequest, "/v1/logs": logs_service_pb2.ExportLogsServiceRequest}
ANSWERS = {"/v1/traces": trace_service_pb2.ExportTraceServiceResponse,
           "/v1/logs": logs_service_pb2.ExportLogsServiceResponse}
IDS = ("traceId", "spanId", "parentSpanId")


def in_base64(value):
    """The protocol writes ids in hexadecimal where protobuf's own JSON has base 64."""
    if isinstance(value, list):
        return [in_base64(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: base64.b64encode(bytes.fromhex(each)).decode() if key in IDS else in_base64(each)
            for key, each in value.items()}


def plain(value):
    """What an AnyValue holds."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return getattr(value, kind)


def attributes(item):
    """As a dictionary; none may come twice."""
    values = {each.key: plain(each.value) for each in item.attributes}
    assert len(values) == len(item.attributes), [each.key for each in item.attributes]
    return values


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        server = self.server
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        with server.lock:
            server.tries.append((time.monotonic(), self.path, raw))
        server.behave(self, raw)

    def answer(self, status, body=b"", **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def take(self, raw):
        """Reads and keeps a batch; answers as the protocol says."""
        server = self.server
        body = gzip.decompress(raw) if self.headers["Content-Encoding"] == "gzip" else raw
        message = REQUESTS[self.path]()
        kind = self.headers["Content-Type"]
        if kind == "application/json":
            json_format.ParseDict(in_base64(json.loads(body)), message)
        else:
            assert kind == "application/x-protobuf", kind
            message.ParseFromString(body)
            # What the schema does not know is kept, and makes what is written again as long as what came.
            assert len(message.SerializeToString()) == len(body), "fields that the schema does not know, or in a form of its own"
        with server.lock:
            server.batches.append((self.path, message, dict(self.headers), body))
        answer = ANSWERS[self.path]()
        self.answer(200, b"{}" if kind == "application/json" else answer.SerializeToString(), Content_Type=kind)

    def log_message(self, *_):
        pass


def take(handler, raw):
    try:
        handler.take(raw)
    except Exception as error:  # noqa: BLE001 the stage shows it
        handler.server.faults.append(repr(error))
        handler.answer(400)


class Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behave=take):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.behave = behave
        self.tries, self.batches, self.faults = [], [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        """A sender that leaves is no news."""

    def spans(self):
        with self.lock:
            return [span for path, batch, _, _ in self.batches if path == "/v1/traces"
                    for resource in batch.resource_spans for scope in resource.scope_spans for span in scope.spans]

    def records(self):
        with self.lock:
            return [record for path, batch, _, _ in self.batches if path == "/v1/logs"
                    for resource in batch.resource_logs for scope in resource.scope_logs for record in scope.log_records]
