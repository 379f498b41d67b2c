# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""TLS towards providers: which certificates are believed, how connections end, and what happens to those that die."""

import base64
import concurrent.futures
import datetime
import hashlib
import http.client
import ipaddress
import os
import random
import signal
import socket
import ssl
import threading
import time
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from h2upstream import H2Upstream
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


    def revoke(self, path, *revoked, since=-DAY, until=DAY):
        """path with a CRL of these certificates, which are PEM files."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(NOW + since).next_update(NOW + until)
        for each in revoked:
            with open(each, "rb") as file:
                number = x509.load_pem_x509_certificate(file.read()).serial_number
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(number).revocation_date(NOW - DAY).build())
        return write(path, pem(builder.sign(self.key, hashes.SHA256())))


def ours(certificate, key=None):
    return f'client_certificate_file = "{certificate}"\nclient_key_file = "{key or certificate}"\n'


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
        ("mutual", "localhost", root.issue(home, "mutual", "localhost"), wants_ours(ca), "set client_certificate_file"),
        ("revoked", "localhost", revoked := root.issue(home, "revoked", "localhost"), None, "is revoked by its issuer"),
        ("listed", "localhost", root.issue(home, "listed", "localhost"), None, None),
        ("below", "localhost", middle.issue(home, "below", "localhost", chain=[middle.certificate]), None, None),
        ("stale", "localhost", root.issue(home, "stale", "localhost"), None, "in crl_file has expired on 20"),
        ("foreign", "localhost", root.issue(home, "foreign", "localhost"), None, "crl_file holds no CRL of"),
    ]
    # Of a chain only the leaf's issuer need say what it has revoked; a file may hold several lists.
    lists = {"below": middle.revoke(f"{home}/below.crl"),
             "stale": root.revoke(f"{home}/stale.crl", since=-9 * DAY, until=-DAY),
             "foreign": stranger.revoke(f"{home}/foreign.crl", revoked)}
    with open(root.revoke(f"{home}/root.crl", revoked)) as file, open(lists["foreign"]) as other:
        lists["revoked"] = lists["listed"] = write(f"{home}/both.crl", other.read() + file.read())
    lists = {name: f'crl_file = "{path}"\n' for name, path in lists.items()}
    servers = [(name, Server(path, change=change), fault) for name, _, path, change, fault in cases]
    hosts = {name: host for name, host, *_ in cases}
    config = "".join(provider(name + end, server.port, ca, host=hosts[name], more=lists.get(name, "") + more)
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


def wants_ours(authority):
    def change(context):
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority)
    return change


def identities():
    """A certificate of ours, for providers that ask for one: over HTTP/1.1, HTTP/2, WebSockets, and by libcurl."""
    home, root, stranger = place(), Authority("root of tests"), Authority("somebody else")
    ca = write(f"{home}/ca.pem", pem(root.certificate))
    path = root.issue(home, "server", "localhost")
    shown, client = [], ExtendedKeyUsageOID.CLIENT_AUTH

    def mine(name, signer=root, **more):
        path = signer.issue(home, name, "us", use=client, **more)
        os.chmod(path, 0o600)
        own(path)
        return path

    def serve(server, end, head, body):
        shown.append(dict(each[0] for each in end.getpeercert()["subject"])["commonName"])
        if b"sec-websocket-key" in head:
            accept = hashlib.sha1(head[b"sec-websocket-key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            end.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Accept: %s\r\n\r\n" % base64.b64encode(accept))
            return False
        ok(end, b"{}")

    server = Server(path, serve, wants_ours(ca))
    over2 = H2Upstream(path, change=wants_ours(ca))
    good, second, other = mine("first"), mine("second"), mine("other", stranger)
    exposed = mine("exposed")
    os.chmod(exposed, 0o640)
    locked = f"{home}/locked.pem"
    openssl("pkey", "-in", good, "-aes128", "-passout", "pass:sesame", "-out", locked)
    os.chmod(locked, 0o600)
    own(locked)
    own_file = write(f"{home}/own.pem", open(good).read())
    cases = [
        ("good", own_file, own_file, None), ("other", other, other, "refuses the certificate of client_certificate_file"),
        ("mixed", good, second, "does not hold the key"), ("exposed", exposed, exposed, "chmod 600"),
        ("locked", good, locked, "is encrypted"), ("gone", good, f"{home}/none.key", "none.key does not exist"),
        ("over", *[mine("over", since=-9 * DAY, until=-DAY)] * 2, "has expired on 20"),
    ]
    config = "".join(provider(name + end, server.port, ca, ours(certificate, key) + more)
                     for name, certificate, key, _ in cases for end, more in BOTH)
    config += provider("h2", over2.port, ca, ours(good)) + provider("h2-without", over2.port, ca)
    daemon = Daemon(home, config)
    said = run("config", "check", daemon.config, env=daemon.env)
    equal(said.returncode, 0, "what is wrong with such files keeps nobody from serving others")
    for name, _, _, fault in cases:
        answer = daemon.ask(f"/{name}/v1/chat/completions")
        if fault is None:
            equal((answer.status, shown[-1]), (200, "first"), f"{name}: who asks for our certificate gets it")
            continue
        check(answer.status == 502 and fault in answer.body.decode(), f"{name}: 502 with what is wrong: {fault}", answer.body)
        if name != "other":
            check(fault in said.stderr.decode(), f"{name}: and config check says so", said.stderr)
    equal(daemon.ask("/good-offered/v1/chat/completions").status, 200, "where HTTP/2 is offered, too")
    equal(daemon.ask("/h2/v1/models", None, {}, method="GET").status if answered(over2) else 0, 200, "and over HTTP/2")
    answer = daemon.ask("/h2-without/v1/models", None, {}, method="GET")
    check(b"set client_certificate_file" in answer.body, "which says the same without one", answer.body)
    with daemon.connect() as end:
        end.sendall(b"GET /good/v1/realtime?model=m HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        check(end.recv(4096).startswith(b"HTTP/1.1 101 "), "and WebSockets")
    write(own_file, open(second).read())
    daemon.ask("/good/v1/chat/completions")
    equal(shown[-1], "first", "a file that is replaced changes nothing")
    daemon.signal(signal.SIGHUP)
    check(wait(lambda: daemon.ask("/good/v1/chat/completions").status == 200 and shown[-1] == "second"),
          "until a reload reads it again")
    check("PRIVATE" not in daemon.stderr() and KEY not in daemon.stderr(), "no key in what is said of it")
    equal(daemon.stop(), 0, "menshen stops in order")
    by_libcurl(ca, server, root, {name: (certificate, key, fault) for name, certificate, key, fault in cases})


def answered(upstream):
    """Has its next request answered."""
    def answer():
        wait(lambda: upstream.streams)
        upstream.streams[-1].whole.wait(PATIENCE)
        upstream.streams[-1].head()
        upstream.streams[-1].end()
    threading.Thread(target=answer, daemon=True).start()
    return True


def by_libcurl(ca, server, root, cases):
    """The same files where libcurl speaks TLS."""
    home = place()
    plain = Server(bad := root.issue(home, "bad", "localhost"))
    config = "".join(provider(name, server.port, ca, ours(*cases[name][:2])) for name in ("good", "other", "locked"))
    for name, revoked in (("revoked", [bad]), ("listed", [])):
        config += provider(name, plain.port, ca, f'crl_file = "{root.revoke(f"{home}/{name}.crl", *revoked)}"')
    daemon = Daemon(home, config, env={"MENSHEN_HTTP": "libcurl"})
    for name, status in (("good", 200), ("other", 502), ("locked", 502), ("revoked", 502), ("listed", 200)):
        answer = daemon.ask(f"/{name}/v1/chat/completions")
        equal(answer.status, status, f"{name}: libcurl goes by the same files")
        fault = {"locked": b"is encrypted", "revoked": b"is revoked"}.get(name, b"")
        check(fault in answer.body, f"{name}: and says why", answer.body)
    equal(daemon.stop(), 0, "menshen stops in order")


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


def warm(more):
    """A connection is there again before the next request, though the provider closes those that wait."""
    home, root = place(), Authority("root of tests")
    ca = write(f"{home}/ca.pem", pem(root.certificate))

    def serve(server, end, head, body):
        head["connections"] = server.connections
        ok(end, b"{}")
        end.settimeout(0.3)

    server = Server(root.issue(home, "server", "localhost"), serve)
    daemon = Daemon(home, provider("one", server.port, ca, more=more + "\nkeep_warm = true"))
    equal(daemon.ask("/one/v1/chat/completions").status, 200, "a request is answered, and its connection closed after 0.3 s")
    equal(wait(lambda: server.connections == 2), True, "another is made, with its handshake")
    equal(len(server.requests), 1, "and without a request")
    equal(daemon.ask("/one/v1/chat/completions").status, 200, "which takes the next one")
    equal([head["connections"] for head in server.requests], [1, 2], "without a handshake of its own")
    equal(daemon.stop(), 0, "menshen stops in order")


def early(more):
    """TLS's handshake does not wait for the caller's body."""
    home, root = place(), Authority("root of tests")
    ca = write(f"{home}/ca.pem", pem(root.certificate))
    server = Server(root.issue(home, "server", "localhost"))
    daemon = Daemon(home, provider("one", server.port, ca, more=more))
    caller = socket.socket(socket.AF_UNIX)
    caller.connect(daemon.socket)
    caller.sendall(b"POST /one/v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                   b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(CHAT))
    equal(caller.recv(99), b"HTTP/1.1 100 Continue\r\n\r\n", "the caller's body is asked for")
    equal(wait(lambda: server.connections), 1, "and meanwhile a connection is made, with its handshake")
    equal(len(server.requests), 0, "over which nothing is asked yet")
    caller.sendall(CHAT)
    check(caller.recv(999).startswith(b"HTTP/1.1 200"), "with the body there comes the answer")
    equal((server.connections, len(server.requests)), (1, 1), "over that connection")
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
        far = socket.create_connection(("127.0.0.1", int(first.split(b" ")[1].rpartition(b":")[2])))
        back = threading.Thread(target=pump, args=(far, end), daemon=True)
        back.start()
        pump(end, far, saw)
        back.join()

    def refuse(end, first):
        end.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        end.close()

    stranger = Authority("somebody else")
    both = write(f"{home}/both.pem", pem(root.certificate, stranger.certificate))
    plain, strict = listen(tunnel), listen(refuse)
    # The proxy's own certificate, and a provider in plain HTTP behind one.
    inside = listen(tunnel, root.issue(home, "proxy", "localhost"))
    alien = listen(tunnel, stranger.issue(home, "alien", "localhost"))
    clear = listen(lambda end, first: ok(end, b"{}", b"X-Line: %s\r\n" % first.split(b" HTTP")[0]),
                   root.issue(home, "clear", "localhost"))
    over2 = H2Upstream(root.issue(home, "two", "localhost"))
    ports = {"two": over2.port}
    daemon = Daemon(home, "".join(
        provider(name, ports.get(name, server.port), file, more=f'proxy = "{proxy}"\n' + more)
        for name, proxy, file, more in (
            ("through", f"http://127.0.0.1:{plain}", ca, HTTP1), ("strict", f"http://127.0.0.1:{strict}", ca, HTTP1),
            ("nobody", f"http://127.0.0.1:{free_port()}", ca, HTTP1), ("inside", f"https://localhost:{inside}", ca, HTTP1),
            ("two", f"https://localhost:{inside}", ca, ""), ("alien", f"https://localhost:{alien}", ca, HTTP1),
            ("known", f"https://localhost:{alien}", both, HTTP1), ("misnamed", f"https://127.0.0.1:{inside}", ca, HTTP1),
            ("unsaid", f"https://localhost:{inside}", None, HTTP1), ("bare", f"https://localhost:{plain}", ca, HTTP1)))
        + f'[[providers]]\nname = "clear"\nbase_url = "http://llm.test/v1"\nproxy = "https://localhost:{clear}"\n'
          f'ca_file = "{ca}"\n')
    for _ in range(3):
        equal(daemon.ask("/through/v1/chat/completions").status, 200, "a proxy leads there")
    check(b"CONNECT localhost" in saw and KEY.encode() not in saw, "and sees nothing of it")
    equal(server.connections, 1, "over one connection")
    answer = daemon.ask("/strict/v1/chat/completions")
    equal(answer.status, 502, "a proxy that refuses is a 502")
    check(b"407" in answer.body, "which says what it said", answer.body)
    equal(daemon.ask("/nobody/v1/chat/completions").status, 502, "a proxy that is not there, too")
    for _ in range(3):
        equal(daemon.ask("/inside/v1/chat/completions").status, 200, "a proxy behind TLS leads there")
    equal(daemon.ask("/two/v1/models", None, {}, method="GET").status if answered(over2) else 0, 200, "over HTTP/2, too")
    equal(server.connections, 2, "its connection is kept")
    equal(daemon.ask("/known/v1/chat/completions").status, 200, "and one of another authority in ca_file")
    answer = daemon.ask("/clear/v1/models", None, {}, method="GET")
    equal((answer.status, answer.fields["X-Line"]), (200, "GET http://llm.test/v1/models"), "a plain provider is asked through it")
    for name, fault in (("alien", b"no authority that this machine trusts has signed the proxy's certificate"),
                        ("unsaid", b"has signed the proxy's certificate"), ("misnamed", b"is for another host name; check proxy"),
                        ("bare", b"proxy failed")):
        answer = daemon.ask(f"/{name}/v1/chat/completions")
        check(answer.status == 502 and fault in answer.body, f"{name}: a proxy that is not who it should be is a 502", answer.body)
    equal(daemon.stop(), 0, "menshen stops in order")
    write(daemon.config, provider("unsaid", server.port, None, f'proxy = "https://localhost:{inside}"\n' + HTTP1))
    daemon.env["SSL_CERT_FILE"] = ca
    daemon.start()
    equal(daemon.ask("/unsaid/v1/chat/completions").status, 200, "SSL_CERT_FILE is for proxies, too")
    equal(daemon.stop(), 0, "menshen stops in order")


def listen(serve, path=None):
    """`path`: the certificate of one that speaks TLS."""
    server = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if path:
        context.load_cert_chain(path)

    def talk(end):
        try:
            end = context.wrap_socket(end, server_side=True) if path else end
            serve(end, end.recv(4096))
        except (OSError, ValueError, IndexError):
            end.close()

    def run():
        while True:
            end, _ = server.accept()
            threading.Thread(target=talk, args=(end,), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
    return server.getsockname()[1]


certificates()
identities()
for _, more in BOTH:
    ends(more)
    dying(more)
    warm(more)
    early(more)
proxies()
done()
