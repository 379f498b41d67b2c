# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""What only a real network stack shows: TLS and HTTP/2 to Debian's nginx, and a name server that never answers."""

import concurrent.futures
import http.client
import os
import shutil
import socket
import subprocess
import threading
import time

from harness import *
from upstream import Upstream
import harness

NGINX = """
daemon off; master_process off; pid {home}/nginx.pid; error_log {home}/nginx.err;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path {home}/b; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u;
  scgi_temp_path {home}/s;
  log_format brief '$connection $server_protocol $http_authorization';
  access_log {home}/access brief;
  server {{
    listen 127.0.0.1:{port} ssl http2; server_name localhost;
    ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem;
    location / {{ client_max_body_size 8m; default_type application/json; return 200 '{{"ok":true}}'; }}
  }}
  server {{
    listen 127.0.0.1:{front} ssl http2; server_name localhost; keepalive_requests 10;
    ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem;
    location / {{ proxy_pass {behind}; proxy_http_version 1.1; proxy_buffering off; }}
  }}
}}
"""


def served(home, since=0):
    """(connection, protocol, credential) of each request nginx has answered."""
    with open(f"{home}/access") as file:
        return [line.split(" ", 2) for line in file.read().splitlines()[since:]]


def tls():
    if not shutil.which("nginx") or not shutil.which("openssl"):
        return skipped("TLS and HTTP/2", "nginx or openssl is not installed")
    home, port, front, behind = place(), free_port(), free_port(), Upstream()
    certificate(home)
    write(f"{home}/nginx.conf", NGINX.format(home=home, port=port, front=front, behind=behind.url))
    with open(f"{home}/nginx.out", "wb") as log:
        spawn(["nginx", "-c", f"{home}/nginx.conf", "-p", home], home, environment(home), log)
    check(wait(lambda: reachable(port)), "nginx answers on its TLS port")
    proxy, proxy_saw = socket.create_server(("127.0.0.1", 0)), bytearray()
    threading.Thread(target=tunnel_all, args=(proxy, port, proxy_saw), daemon=True).start()
    config = (provider("two", port, f"{home}/cert.pem") + provider("one", port, f"{home}/cert.pem", "http2 = false")
              + provider("stranger", port) + provider("front", front, f"{home}/cert.pem")
              + provider("behind", port, f"{home}/cert.pem", f'proxy = "http://127.0.0.1:{proxy.getsockname()[1]}"'))
    daemon = Daemon(home, config)

    bodies = [CHAT] * 64 + [b'{"model":"one","pad":"' + b"x" * 20000 + b'"}'] * 16
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda body: daemon.ask("/two/v1/chat/completions", body), bodies))
    equal({answer.status for answer in answers}, {200}, "80 concurrent requests over HTTP/2 are all answered")
    seen = served(home)
    equal({entry[1] for entry in seen}, {"HTTP/2.0"}, "nginx saw HTTP/2 for each of them")
    equal({entry[2] for entry in seen}, {f"Bearer {KEY}"}, "and the real key")
    check(len({entry[0] for entry in seen}) <= 4, "they shared few connections", len({entry[0] for entry in seen}))

    before = len(seen)
    equal(daemon.ask("/one/v1/chat/completions").status, 200, "http2 = false is answered too")
    equal([entry[1] for entry in served(home, before)], ["HTTP/1.1"], "and nginx saw HTTP/1.1")

    before = len(served(home))
    answer = daemon.ask("/behind/v1/chat/completions")
    equal((answer.status, answer.body), (200, b'{"ok":true}'), "a provider behind an HTTP proxy is answered as it says")
    equal(answer.fields.get("X-Proxy"), None, "and nothing of the proxy's own answer reaches the caller")
    equal([entry[2] for entry in served(home, before)], [f"Bearer {KEY}"], "and the provider saw the key")
    check(KEY.encode() not in bytes(proxy_saw), "which the proxy did not")

    before = len(served(home))
    answer = daemon.ask("/stranger/v1/chat/completions")
    equal(answer.status, 502, "a provider with an unknown certificate is refused")
    check(b"ca_file" in answer.body, "and the answer names the setting that mends it", answer.body)
    equal(served(home, before), [], "and it never saw a request, nor the key")
    row = daemon.row(answer.id)
    equal((row["end_state"], row["problem"]), ("upstream_error", "upstream_unreachable"), "and the row says so")
    streams(daemon, behind)
    equal(daemon.stop(), 0, "menshen stops in order")


def streams(daemon, behind):
    """Answers that nginx passes on from a provider behind it, with a GOAWAY after each tenth request."""
    def stream(model):
        return b'{"model":"%s","stream":true,"messages":[]}' % model

    def whole(_):
        answer = daemon.ask("/front/v1/chat/completions", stream(b"burst"))
        return answer.body.count(b"data: {"), answer.body.endswith(b"data: [DONE]\n\n")

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        equal(set(pool.map(whole, range(100))), {(6, True)}, "100 streams through nginx, which ends connections, are whole")
    caller = Caller(daemon.socket)
    caller.request("POST", "/front/v1/chat/completions", stream(b"long"), JSON)
    answer = caller.getresponse()
    answer.read(64)
    call = behind.calls[-1]
    answer.close()
    caller.close()
    check(call.left.wait(3), "a caller that leaves takes the work of the provider behind nginx with it")
    for _ in range(3):
        caller = Caller(daemon.socket)
        caller.request("POST", "/front/v1/chat/completions", stream(b"broken"), JSON)
        answer = caller.getresponse()
        try:
            outcome = answer.read()
        except http.client.IncompleteRead as error:
            outcome = "broken off" if b"data:" in error.partial else error
        caller.close()
        equal(outcome, "broken off", "the provider behind nginx dies in the middle: the caller's transfer breaks")
        equal(daemon.row(answer.headers["x-menshen-request-id"])["end_state"], "truncated", "and its row says truncated")


def tunnel_all(server, port, saw):
    """A proxy that knows CONNECT."""
    while True:
        near, _ = server.accept()
        saw += near.recv(65536)
        near.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
        far = socket.create_connection(("127.0.0.1", port))
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=pump, args=(source, sink, saw), daemon=True).start()


def reachable(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def name_server():
    """A caller that leaves while its provider's name is looked up must not make the event loop wait for the look-up."""
    if not IS_ROOT or not shutil.which("unshare"):
        return skipped("a name server that never answers", "needs root, to give menshen a resolv.conf of its own")
    try:
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.53", 53))
    except OSError as error:
        return skipped("a name server that never answers", error)
    home = place()
    upstream = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=answer_all, args=(upstream,), daemon=True).start()
    write(f"{home}/resolv.conf", "nameserver 127.0.0.53\noptions timeout:20 attempts:1\n", 0o644)
    config = (f'[[providers]]\nname = "lost"\nbase_url = "http://provider.example/v1"\napi_key = "{KEY}"\n'
              f'[[providers]]\nname = "near"\nbase_url = "http://127.0.0.1:{upstream.getsockname()[1]}/v1"\n'
              f'api_key = "{KEY}"\n')

    def own_resolver():
        if harness.libc.unshare(0x00020000) != 0:
            os._exit(90)
        harness.libc.mount(b"none", b"/", None, 0x44000, None)
        if harness.libc.mount(f"{home}/resolv.conf".encode(), b"/etc/resolv.conf", None, 4096, None) != 0:
            os._exit(91)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    daemon = Daemon.__new__(Daemon)
    daemon.home, daemon.socket, daemon.port = home, f"{home}/run/m.sock", None
    daemon.database, daemon.log = f"{home}/state/menshen/menshen.db", f"{home}/stderr"
    write(f"{home}/config.toml", config)
    with open(daemon.log, "ab") as log:
        daemon.process = subprocess.Popen(
            [BINARY, "serve", "--config", f"{home}/config.toml", "--socket", daemon.socket], cwd=home,
            env=environment(home), stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=own_resolver)
    harness.children.append(daemon.process)
    daemon.pid = daemon.process.pid
    check(wait(daemon.is_up), "menshen starts with a resolver of its own")

    silent.settimeout(PATIENCE)
    leaving = daemon.connect()
    leaving.sendall(b"POST /lost/v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 2\r\n\r\n{}")
    check(silent.recvfrom(512)[0] != b"", "the look-up has reached the name server, which stays silent")
    leaving.close()
    begin = time.monotonic()
    answer = daemon.ask("/near/v1/chat/completions")
    equal(answer.status, 200, "another caller is answered meanwhile")
    check(time.monotonic() - begin < 2, "and at once", f"{time.monotonic() - begin:.1f} s")
    gone = wait(lambda: daemon.rows("SELECT end_state FROM requests WHERE provider = 'lost'"), 3)
    check(wait(lambda: daemon.rows("SELECT 1 FROM requests WHERE provider = 'lost' AND end_state = 'client_gone'"), 3),
          "the one that left is recorded as gone", gone)


def answer_all(server):
    while True:
        end, _ = server.accept()
        end.recv(65536)
        end.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        end.close()


tls()
name_server()
done()
