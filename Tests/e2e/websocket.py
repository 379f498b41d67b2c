# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""WebSockets: OpenAI's SDK and the `websockets` library through menshen, to a provider with and without TLS."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading

import openai
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect, unix_connect
from websockets.sync.server import serve

from harness import KEY, TOKEN, Daemon, check, done, equal, place, skipped, wait

OWN = "sk-what-the-caller-carries-5d2e"
USAGE = {"total_tokens": 30, "input_tokens": 20, "output_tokens": 10,
         "input_token_details": {"text_tokens": 15, "audio_tokens": 5, "cached_tokens": 4},
         "output_token_details": {"text_tokens": 7, "audio_tokens": 3}}


class Provider:
    """Speaks as much of OpenAI's realtime API as an SDK needs, and echoes what is binary."""

    def __init__(self, context=None):
        self.requests, self.closes = [], []
        self.server = serve(self.converse, "127.0.0.1", 0, ssl=context, process_request=self.judge,
                            select_subprotocol=lambda _, offered: "realtime" if "realtime" in offered else None,
                            max_size=None)
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def judge(self, connection, request):
        self.requests.append(request)
        if request.path.endswith("/responses"):
            return connection.respond(404, '{"detail": "Not Found"}')
        if "bad" in request.path:
            return connection.respond(401, '{"error": {"message": "Incorrect API key provided"}}')

    def converse(self, connection):
        try:
            connection.send(json.dumps({"type": "session.created", "event_id": "e", "session": {"type": "realtime"}}))
            for message in connection:
                if isinstance(message, bytes):
                    connection.send(message)
                elif json.loads(message)["type"] == "response.create":
                    connection.send(json.dumps({"type": "response.output_text.delta", "delta": "Good", "event_id": "e",
                                                "response_id": "r", "item_id": "i", "output_index": 0,
                                                "content_index": 0}))
                    connection.send(json.dumps({"type": "response.done", "event_id": "e", "response": {
                        "id": "r", "object": "realtime.response", "status": "completed", "usage": USAGE}}))
                elif json.loads(message)["type"] == "leave":
                    # Without a word.
                    connection.socket.shutdown(socket.SHUT_RDWR)
        except ConnectionClosed:
            pass
        self.closes.append(connection.close_code)


def certificate(home):
    """A context for a server called localhost; its certificate is its own authority."""
    if not shutil.which("openssl"):
        return skipped("wss", "openssl is not installed")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-keyout", f"{home}/key.pem", "-out", f"{home}/cert.pem", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    os.chmod(f"{home}/cert.pem", 0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{home}/cert.pem", f"{home}/key.pem")
    # A provider that would rather speak HTTP/2 must still be asked for HTTP/1.1.
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def tunnel_all(server, saw):
    """A proxy that knows CONNECT and nothing else."""
    while True:
        near, _ = server.accept()
        asked = near.recv(65536)
        saw.append(asked)
        if not asked.startswith(b"CONNECT "):
            near.close()
            continue
        host, _, port = asked.split()[1].decode().rpartition(":")
        far = socket.create_connection((host, int(port)))
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=pump, args=(source, sink), daemon=True).start()


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


home = place()
plain = Provider()
context = certificate(home)
secure = Provider(context) if context else None
proxy, proxy_saw = socket.create_server(("127.0.0.1", 0)), []
threading.Thread(target=tunnel_all, args=(proxy, proxy_saw), daemon=True).start()
configuration = f"""\
[server]
drain_timeout = "2s"
[upstream]
max_idle_connections = 1
[auth]
token = "{TOKEN}"
[[providers]]
name = "plain"
base_url = "http://127.0.0.1:{plain.port}/v1"
api_key = "{KEY}"
[[providers]]
name = "proxied"
base_url = "http://127.0.0.1:{plain.port}/v1"
api_key = "{KEY}"
proxy = "http://127.0.0.1:{proxy.getsockname()[1]}"
"""
if secure:
    configuration += f"""\
[[providers]]
name = "secure"
base_url = "https://localhost:{secure.port}/v1"
api_key = "{KEY}"
ca_file = "{home}/cert.pem"
[[providers]]
name = "stranger"
base_url = "https://localhost:{secure.port}/v1"
api_key = "{KEY}"
"""
daemon = Daemon(home, configuration, tcp=True)


def caller(path, way="Unix socket", **options):
    if way == "Unix socket":
        return unix_connect(daemon.socket, f"ws://localhost{path}", max_size=None, **options)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return connect(f"ws://localhost:{daemon.port}{path}", additional_headers=headers, max_size=None, proxy=None,
                   **options)


def settled(connection):
    return daemon.row(connection.response.headers["x-menshen-request-id"])


def of_the_sdk(way, name, provider):
    who = f"OpenAI's realtime client over {way} to {name}"
    key, extra = (TOKEN, {"proxy": None}) if way == "TCP" else (OWN, {"unix": True, "path": daemon.socket})
    client = openai.OpenAI(base_url=f"http://localhost:{daemon.port}/{name}/v1", api_key=key)
    with client.realtime.connect(model="gpt-realtime", websocket_connection_options=extra) as session:
        events = [session.recv().type]
        for _ in range(2):
            session.response.create()
            events += [session.recv().type, session.recv().type]
        request_id = session._connection.response.headers["x-menshen-request-id"]
    equal(events, ["session.created"] + ["response.output_text.delta", "response.done"] * 2, f"{who}: its events")
    seen = provider.requests[-1]
    equal(seen.headers.get_all("Authorization"), [f"Bearer {KEY}"], f"{who}: the provider saw the real key")
    text = str(seen.headers) + seen.path
    check(TOKEN not in text and OWN not in text, f"{who}: and nothing that the caller carries", text)
    equal(seen.path, "/v1/realtime?model=gpt-realtime", f"{who}: and the path")
    row = daemon.row(request_id)
    equal((row["method"], row["path"], row["provider"], row["model"], row["status"], row["end_state"], row["problem"]),
          ("GET", "/v1/realtime", name, "gpt-realtime", 101, "complete", None), f"{who}: the row")
    return row


def of_large_messages(way, name):
    who = f"8 MiB over {way} to {name}"
    before = daemon.memory("VmHWM")
    with caller(f"/{name}/v1/realtime", way) as connection:
        connection.recv()
        for size in (0, 1, 65536, 8 << 20):
            data = os.urandom(size)
            connection.send(data)
            check(connection.recv() == data, f"{who}: {size} bytes come back as they went")
        check(connection.response.headers.get("Sec-WebSocket-Extensions") is None, f"{who}: nothing is compressed")
    grown = daemon.memory("VmHWM") - before
    check(grown < 4 << 20, f"{who}: menshen keeps little of them", f"{grown >> 10} KiB")
    row = settled(connection)
    check(row["bytes_in"] > 8 << 20 and row["bytes_out"] > 8 << 20, f"{who}: the row counts the bytes", row)


def of_ends():
    with caller("/plain/v1/realtime") as connection:
        connection.recv()
        connection.send('{"type": "leave"}')
        try:
            connection.recv()
            check(False, "a provider that leaves without a word ends the connection")
        except ConnectionClosed as error:
            equal(error.rcvd, None, "a provider that leaves without a word ends the connection")
    row = settled(connection)
    equal((row["end_state"], row["problem"]), ("truncated", "upstream_broken"), "and the row says so")

    connection = caller("/plain/v1/realtime")
    connection.recv()
    known = len(plain.closes)
    connection.socket.shutdown(socket.SHUT_RDWR)
    check(wait(lambda: len(plain.closes) > known), "a caller that leaves without a word ends the provider's side")
    equal(settled(connection)["end_state"], "client_gone", "and the row says so")

    try:
        caller("/plain/v1/realtime?model=bad")
        check(False, "a provider's refusal reaches the caller")
    except InvalidStatus as error:
        equal((error.response.status_code, json.loads(error.response.body)["error"]["message"]),
              (401, "Incorrect API key provided"), "a provider's refusal reaches the caller")

    try:
        connect(f"ws://localhost:{daemon.port}/plain/v1/realtime", proxy=None)
        check(False, "over TCP there is no WebSocket without a token")
    except InvalidStatus as error:
        equal(error.response.status_code, 401, "over TCP there is no WebSocket without a token")
    try:
        caller("/plain/v1/realtime", "TCP", origin="https://evil.example")
        check(False, "a foreign page opens no WebSocket")
    except InvalidStatus as error:
        equal(error.response.status_code, 403, "a foreign page opens no WebSocket")
    with connect(f"ws://localhost:{daemon.port}/plain/v1/realtime", proxy=None,
                 subprotocols=["realtime", f"openai-insecure-api-key.{TOKEN}"]) as connection:
        equal(connection.subprotocol, "realtime", "a browser's token among the sub-protocols opens one")
    equal(plain.requests[-1].headers["Sec-WebSocket-Protocol"], "realtime", "and does not reach the provider")


def of_fallback():
    """As Codex does: a WebSocket first, and plain HTTP at once after a 426."""
    for _ in range(3):
        try:
            caller("/plain/v1/responses")
            check(False, "a provider without a WebSocket for Responses has its callers told so")
        except InvalidStatus as error:
            fields = error.response.headers
            equal((error.response.status_code, fields["Upgrade"], fields["x-menshen-error"]), (426, "websocket", "no_websocket"),
                  "a provider without a WebSocket for Responses has its callers told so")
    equal([request.path for request in plain.requests], ["/v1/responses"], "and is asked once")


def of_the_proxy():
    with caller("/proxied/v1/realtime") as connection:
        connection.recv()
    check(proxy_saw and proxy_saw[0].startswith(b"CONNECT ") and KEY.encode() not in proxy_saw[0],
          "a proxy is asked for a tunnel, also for plain HTTP", proxy_saw)


def of_strangers():
    try:
        caller("/stranger/v1/realtime")
        check(False, "a provider with an unknown certificate is refused")
    except InvalidStatus as error:
        equal(error.response.status_code, 502, "a provider with an unknown certificate is refused")


def of_many():
    """Connections of many callers, open at the same time; none is left at the provider, nor in menshen."""
    descriptors = f"/proc/{daemon.pid}/fd"
    wait(lambda: daemon.rows("SELECT 1 FROM requests WHERE end_state = 'open'") == [])
    before = len(os.listdir(descriptors))
    name = "secure" if secure else "plain"
    connections = [caller(f"/{name}/v1/realtime") for _ in range(100)]
    for connection in connections:
        connection.recv()
    # libcurl tidies up its connections when it makes or gives up others: not these, though they look idle to it.
    equal({daemon.ask("/plain/v1/bad", None, {}, method="GET").status for _ in range(5)}, {401}, "others are asked")
    for index, connection in enumerate(connections):
        connection.send(bytes([index]))
    answers = [connection.recv() for connection in connections]
    equal(answers, [bytes([index]) for index in range(100)], "a hundred at once are kept apart")
    for connection in connections:
        connection.close()
    check(wait(lambda: len(os.listdir(descriptors)) <= before), "and none of their descriptors is left",
          (before, len(os.listdir(descriptors))))


def of_stopping():
    connection = caller("/plain/v1/realtime")
    connection.recv()
    daemon.process.terminate()
    try:
        connection.recv()
        check(False, "menshen says that it is going away")
    except ConnectionClosed as error:
        equal(error.rcvd and error.rcvd.code, 1001, "menshen says that it is going away")
    equal(daemon.process.wait(40), 0, "and stops in order")


of_fallback()
for way in ("Unix socket", "TCP"):
    for name, provider in (("plain", plain), ("secure", secure)):
        if provider:
            of_the_sdk(way, name, provider)
            of_large_messages(way, name)
of_ends()
of_the_proxy()
if secure:
    of_strangers()
of_many()
of_stopping()
done()
