# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""TLS towards providers: which certificates are believed, how connections end, and what happens to those that die."""

import concurrent.futures
import datetime
import hashlib
import http.client
import ipaddress
import os
import random
import socket
import ssl
import threading
import time
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness import *

MIB = 1 << 20
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
HTTP1 = "http2 = false"
# HTTP/2 is offered, and the provider chooses HTTP/1.1.
BOTH = (("", HTTP1), ("-offered", ""))


class Authority:
    def __init__(self, name, signer=None, constraints=None):
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = (self.begin(self.name, self.key, -DAY, DAY, signer)
                   .add_extension(x509.BasicConstraints(ca=True, path_length=None), True))
        if constraints:
            builder = builder.add_extension(x509.NameConstraints([x509.DNSName(constraints)], None), True)
        self.certificate = builder.sign((signer or self).key, hashes.SHA256())

    def begin(self, subject, key, since, until, signer):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name((signer or self).name)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(NOW + since).not_valid_after(NOW + until))

    def issue(self, home, name, *names, since=-DAY, until=DAY, key=None, use=ExtendedKeyUsageOID.SERVER_AUTH, chain=()):
        """name.pem with certificate and key of a server."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.IPAddress(ipaddress.ip_address(each)) if each[0].isdigit() else x509.DNSName(each) for each in names]
        certificate = (self.begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, since, until, self)
                       .add_extension(x509.SubjectAlternativeName(alternatives), False)
                       .add_extension(x509.ExtendedKeyUsage([use]), False).sign(self.key, hashes.SHA256()))
        path = f"{home}/{name}.pem"
        with open(path, "wb") as file:
            for each in (certificate, *chain):
                file.write(each.public_bytes(serialization.Encoding.PEM))
            file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))
        return path


def pem(*certificates):
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates)


class Server:
    """HTTP/1.1 over TLS; a connection each is a thread, and `serve(self, end, head, body)` answers. False ends it."""

    def __init__(self, path, serve=None, change=None, host="127.0.0.1"):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self.context.load_cert_chain(path)
        if change:
            change(self.context)
        self.serve = serve or (lambda server, end, head, body: ok(end, b"{}"))
        self.requests, self.connections, self.lock = [], 0, threading.Lock()
        self.listener = socket.create_server((host, 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            end, _ = self.listener.accept()
            threading.Thread(target=self.talk, args=(end,), daemon=True).start()

    def talk(self, raw):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            end = self.context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)
        except OSError:
            return raw.close()
        with self.lock:
            self.connections += 1
        reader = end.makefile("rb")
        try:
            while True:
                head = {}
                line = reader.readline()
                if not line:
                    break
                while (field := reader.readline()) not in (b"\r\n", b""):
                    name, _, value = field.partition(b": ")
                    head[name.lower()] = value.strip()
                head[b":line"] = line
                body = reader.read(int(head.get(b"content-length", 0)))
                with self.lock:
                    self.requests.append(head)
                if self.serve(self, end, head, body) is False:
                    break
        except (OSError, ValueError):
            pass
        end.close()


def ok(end, body, more=b""):
    end.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n" % (more, len(body)) + body)


def certificates():
    """Who is believed, and what is said of those who are not."""
    home = place()
    root, stranger = Authority("root of tests"), Authority("somebody else")
    middle = Authority("in the middle", root)
    fenced = Authority("fenced", root, "inside.localhost")
    ca = write(f"{home}/ca.pem", pem(root.certificate))
    weak = rsa.generate_private_key(65537, 1024)
    cases = [
        ("good", "localhost", root.issue(home, "good", "localhost"), None, None),
        ("ip", "127.0.0.1", root.issue(home, "ip", "127.0.0.1"), None, None),
        ("chain", "localhost", middle.issue(home, "chain", "localhost", chain=[middle.certificate]), None, None),
        ("expired", "localhost", root.issue(home, "expired", "localhost", since=-9 * DAY, until=-DAY), None, "has expired on 20"),
        ("early", "localhost", root.issue(home, "early", "localhost", since=DAY, until=2 * DAY), None, "is not valid before 20"),
        ("other", "localhost", root.issue(home, "other", "a.example", "*.b.example"), None,
         "for a.example, *.b.example, not for localhost"),
        ("address", "127.0.0.1", root.issue(home, "address", "127.0.0.2"), None, "not for 127.0.0.1"),
        ("named", "127.0.0.1", root.issue(home, "named", "localhost"), None, "not for 127.0.0.1"),
        ("unknown", "localhost", stranger.issue(home, "unknown", "localhost"), None, "ca_file"),
        ("sent", "localhost", stranger.issue(home, "sent", "localhost", chain=[stranger.certificate]), None, "ca_file"),
        ("gap", "localhost", middle.issue(home, "gap", "localhost"), None, "in the middle"),
        ("weak", "localhost", root.issue(home, "weak", "localhost", key=weak), None, "key too weak"),
        ("purpose", "localhost", root.issue(home, "purpose", "localhost", use=ExtendedKeyUsageOID.CLIENT_AUTH), None, "purpose"),
        ("fence", "localhost", fenced.issue(home, "fence", "localhost", chain=[fenced.certificate]), None, "permitted subtree"),
        ("old", "localhost", root.issue(home, "old", "localhost"), old_versions, "before 1.2"),
        ("mutual", "localhost", root.issue(home, "mutual", "localhost"), wants_ours, "certificate of ours"),
    ]
    servers = [(name, Server(path, change=change), fault) for name, _, path, change, fault in cases]
    hosts = {name: host for name, host, *_ in cases}
    config = "".join(provider(name + end, server.port, ca, host=hosts[name], more=more)
                     for name, server, _ in servers for end, more in BOTH)
    plain = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=plain_http, args=(plain,), daemon=True).start()
    config += provider("plain", plain.getsockname()[1], ca, more=HTTP1)
    # An authority that is trusted need not be a root.
    partial = write(f"{home}/middle.pem", pem(middle.certificate))
    config += provider("partial", servers[[name for name, *_ in servers].index("gap")][1].port, partial, HTTP1)
    config += provider("system", servers[0][1].port, None, more=HTTP1)
    for end, more in BOTH:
        config += provider("nofile" + end, servers[0][1].port, f"{home}/none.pem", more=more)
    daemon = Daemon(home, config)
    tried = [(name + end, server, fault) for name, server, fault in servers for end, _ in BOTH]
    for name, server, fault in tried + [("plain", None, "does not speak TLS"), ("system", None, "ca_file"),
                                        ("nofile", None, "none.pem"), ("nofile-offered", None, "none.pem")]:
        before = len(server.requests) if server else 0
        answer = daemon.ask(f"/{name}/v1/chat/completions")
        if fault is None:
            equal((answer.status, len(server.requests) - before), (200, 1), f"{name}: a good certificate is believed")
            continue
        equal(answer.status, 502, f"{name}: refused")
        check(fault in answer.body.decode(), f"{name}: and it says why: {fault}", answer.body)
        check(server is None or server.requests == [], f"{name}: no request was seen, nor the key")
        equal(daemon.row(answer.id)["problem"], "upstream_unreachable", f"{name}: and the row says so")
    equal(daemon.ask("/partial/v1/chat/completions").status, 200, "partial: an authority between is one, if it is named")
    write(f"{home}/none.pem", pem(root.certificate))
    equal(daemon.ask("/nofile/v1/chat/completions").status, 200, "a ca_file that comes later is read later")
    log = daemon.stderr()
    check(KEY not in log, "no key in what is said of it")
    equal(daemon.stop(), 0, "menshen stops in order")


def old_versions(context):
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1


def wants_ours(context):
    context.verify_mode = ssl.CERT_REQUIRED


def plain_http(server):
    while True:
        end, _ = server.accept()
        end.recv(4096)
        end.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        end.close()


def ends(more):
    """Answers that only the connection's end delimits; handshakes that do not end; large bodies."""
    home, root = place(), Authority("root of tests")
    ca = write(f"{home}/ca.pem", pem(root.certificate))
    path = root.issue(home, "server", "localhost")
    large = random.randbytes(20 * MIB)

    def serve(server, end, head, body):
        line = head[b":line"]
        if b"until" in line:
            end.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")
            if b"goodbye" in line:
                end.unwrap()
            # The descriptor below is closed without a word of TLS.
            os.close(end.detach())
            return False
        if b"large" in line:
            return ok(end, large)
        if b"digest" in line:
            return ok(end, hashlib.sha256(body).hexdigest().encode())
        return ok(end, b"{}")

    server = Server(path, serve)
    silent = socket.create_server(("127.0.0.1", 0), backlog=8)
    daemon = Daemon(home, provider("one", server.port, ca, more=more)
                    + provider("silent", silent.getsockname()[1], ca, more=more)
                    + "[upstream]\nconnect_timeout = \"1s\"\n")
    answer = daemon.ask("/one/v1/until/goodbye", None, {}, method="GET")
    equal((answer.status, answer.body), (200, b"all of it"), "an answer until the goodbye is whole")
    equal(daemon.row(answer.id)["end_state"], "complete", "and its row says so")
    caller = Caller(daemon.socket)
    caller.request("GET", "/one/v1/until/cut")
    response = caller.getresponse()
    try:
        outcome = response.read()
    except (ConnectionError, http.client.IncompleteRead):
        outcome = "broken off"
    equal(outcome, "broken off", "one that ends without it is broken off")
    equal(daemon.row(response.headers["x-menshen-request-id"])["end_state"], "truncated", "and its row says so")
    answer = daemon.ask("/one/v1/large", None, {}, method="GET")
    equal(hashlib.sha256(answer.body).digest(), hashlib.sha256(large).digest(), "20 MiB arrive as they are")
    answer = daemon.ask("/one/v1/digest", large, {"Content-Type": "application/octet-stream"})
    equal(answer.body.decode(), hashlib.sha256(large).hexdigest(), "and go out as they are")
    begin = time.monotonic()
    answer = daemon.ask("/silent/v1/chat/completions")
    equal(answer.status, 504, "a handshake that nobody answers ends")
    check(0.9 < time.monotonic() - begin < 4, "after upstream.connect_timeout", time.monotonic() - begin)
    equal(daemon.stop(), 0, "menshen stops in order")


def dying(more, count=300):
    """Kept connections that the provider closes just as the next request comes: nobody is told, and nothing is sent twice that may
    have been read."""
    home, root = place(), Authority("root of tests")
    ca = write(f"{home}/ca.pem", pem(root.certificate))
    path = root.issue(home, "server", "localhost")

    def serve(server, end, head, body):
        ok(end, b"{}")
        if random.random() < 0.3:
            time.sleep(random.choice((0, 0, 0.0003, 0.001)))
            if random.random() < 0.5:
                end.settimeout(0.001)
                try:
                    end.unwrap()
                except OSError:
                    pass
            os.close(end.detach())
            return False

    server = Server(path, serve)
    daemon = Daemon(home, provider("one", server.port, ca, more=more))
    for size in (20, 300_000):
        server.requests.clear()
        body = b'{"model":"m","messages":[],"pad":"' + b"x" * size + b'"}'

        def ask(index):
            fields = {**JSON, "x-number": f"{size}-{index}"}
            return daemon.ask("/one/v1/chat/completions", body, fields).status
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(ask, range(count)))
        # What has reached the provider's kernel may have been worked on: that is the caller's to decide.
        good = answers.count(200)
        note(f"{size} bytes: {good} of {count} answered")
        check(set(answers) <= {200, 502} and good > count * 0.5,
              f"{size} bytes over connections that end at any time are answered as a rule", good)
        seen = [head[b"x-number"] for head in server.requests]
        check(len(seen) == len(set(seen)) and good <= len(seen), "and none was seen twice", (good, len(seen), len(set(seen))))
    check(server.connections > 20, "over many connections", server.connections)
    resumed = server.context.session_stats()["hits"]
    check(resumed > server.connections / 2, "most of which needed a short handshake", (resumed, server.connections))
    equal(daemon.stop(), 0, "menshen stops in order")


def proxies():
    """Through proxies: one that refuses, and one that is itself behind TLS."""
    home, root = place(), Authority("root of tests")
    ca = write(f"{home}/ca.pem", pem(root.certificate))
    server = Server(root.issue(home, "server", "localhost"))
    saw = bytearray()

    def tunnel(end, first):
        saw.extend(first)
        end.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        far = socket.create_connection(("127.0.0.1", server.port))
        back = threading.Thread(target=pump, args=(far, end), daemon=True)
        back.start()
        pump(end, far, saw)
        back.join()

    def refuse(end, first):
        end.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        end.close()

    plain, strict = listen(tunnel), listen(refuse)
    daemon = Daemon(home, "".join(
        provider(name, server.port, ca, more=f'proxy = "{proxy}"\n' + HTTP1)
        for name, proxy in (("through", f"http://127.0.0.1:{plain}"), ("strict", f"http://127.0.0.1:{strict}"),
                            ("nobody", f"http://127.0.0.1:{free_port()}"))))
    for _ in range(3):
        equal(daemon.ask("/through/v1/chat/completions").status, 200, "a proxy leads there")
    check(b"CONNECT localhost" in saw and KEY.encode() not in saw, "and sees nothing of it")
    equal(server.connections, 1, "over one connection")
    answer = daemon.ask("/strict/v1/chat/completions")
    equal(answer.status, 502, "a proxy that refuses is a 502")
    check(b"407" in answer.body, "which says what it said", answer.body)
    equal(daemon.ask("/nobody/v1/chat/completions").status, 502, "a proxy that is not there, too")
    equal(daemon.stop(), 0, "menshen stops in order")


def listen(serve):
    server = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            end, _ = server.accept()
            threading.Thread(target=lambda: serve(end, end.recv(4096)), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
    return server.getsockname()[1]


certificates()
for _, more in BOTH:
    ends(more)
    dying(more)
proxies()
done()
