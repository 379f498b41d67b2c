# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""What the stages and the checks in a container stand on: results, a private place, menshen as a child process, plain
HTTP, its database."""

import atexit
import ctypes
import http.client
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

BINARY = sys.argv[1] if len(sys.argv) > 1 else ""
PATIENCE = 10
TOKEN = "door-token-of-the-caller-41f7"
KEY = "sk-the-real-key-9a3c55d1e8"
CHAT = b'{"model": "one", "messages": [{"role": "user", "content": "Good morning!"}]}'
JSON = {"Content-Type": "application/json"}
# A user with nothing; keys are only safe from others if menshen is not root.
NOBODY = 65533


def is_root():
    """Also over other users: root of a user namespace may know no other."""
    with open("/proc/self/uid_map") as file:
        known = any(int(first) <= NOBODY < int(first) + int(count) for first, _, count in map(str.split, file))
    return os.geteuid() == 0 and known


IS_ROOT = is_root()

passes = failures = 0
children = []
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def check(good, sentence, detail=""):
    """One assertion; `detail` is shown if it fails."""
    global passes, failures
    if good:
        passes += 1
        print(f"ok - {sentence}", flush=True)
    else:
        failures += 1
        print(f"not ok - {sentence}" + (f": {str(detail)[:600]}" if detail != "" else ""), flush=True)
    return bool(good)


def equal(actual, expected, sentence):
    return check(actual == expected, sentence, f"expected {expected!r}, got {actual!r}")


def skipped(what, why):
    print(f"# SKIPPED {what}: {why}", flush=True)


def note(text):
    print(f"# {text}", flush=True)


def wait(condition, seconds=PATIENCE, pause=0.01):
    """Polls until `condition()` is true; returns its last value."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(pause)
    return value


def done():
    sys.exit(1 if failures else 0)


def free_port():
    """Free in both families just now."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as probe:
        return probe.getsockname()[1]


def place():
    """A directory of the daemon's user, 0700, gone at the end. Short, because socket paths are limited."""
    outer = tempfile.mkdtemp(prefix="e2e.")
    atexit.register(shutil.rmtree, outer, ignore_errors=True)
    os.chmod(outer, 0o755)
    inner = os.path.join(outer, "home")
    os.mkdir(inner, 0o700)
    own(inner)
    return inner


def own(path):
    if IS_ROOT:
        os.chown(path, NOBODY, NOBODY)


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def certificate(home):
    """cert.pem and key.pem for localhost; the certificate is its own authority."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-keyout", f"{home}/key.pem", "-out", f"{home}/cert.pem", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost")
    for name in ("key.pem", "cert.pem"):
        own(f"{home}/{name}")


def pump(source, sink, saw=None):
    """Passes on what comes until either end leaves; `saw` gets it, too."""
    try:
        while data := source.recv(65536):
            if saw is not None:
                saw.extend(data)
            sink.sendall(data)
    except OSError:
        pass
    sink.close()


def provider(name, port, ca_file=None, more="", host="localhost"):
    return (f'[[providers]]\nname = "{name}"\nbase_url = "https://{host}:{port}/v1"\napi_key = "{KEY}"\n'
            + (f'ca_file = "{ca_file}"\n' if ca_file else "") + more + "\n")


def write(path, text, mode=0o600):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.chmod(path + ".new", mode)
    own(path + ".new")
    os.rename(path + ".new", path)
    return path


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def identity():
    """Options of subprocess that make a child the daemon's user."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if IS_ROOT else {}


def environment(home, **more):
    if "MENSHEN_HTTP" in os.environ:
        more = {"MENSHEN_HTTP": os.environ["MENSHEN_HTTP"], **more}
    return {
        "PATH": os.environ["PATH"], "HOME": home, "XDG_STATE_HOME": f"{home}/state", "XDG_CONFIG_HOME": f"{home}/config",
        "XDG_RUNTIME_DIR": f"{home}/run", "LANG": "C.UTF-8", **more,
    }


def spawn(command, cwd, env, stderr, prepare=None, **options):
    def before():
        die_with_parent()
        if prepare:
            prepare()

    child = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, preexec_fn=before,
        start_new_session=True, **identity(), **options)
    children.append(child)
    return child


@atexit.register
def stop_children():
    for child in children:
        if child.poll() is None:
            child.kill()
            child.wait()


def shown(terminal, *until):
    """What has been written to a terminal, once one of these texts is there."""
    os.set_blocking(terminal, False)
    text = b""

    def more():
        nonlocal text
        try:
            text += os.read(terminal, 65536)
        except OSError:
            pass
        return any(end in text for end in until)
    wait(more)
    return text


def run(*arguments, cwd=None, env=None):
    """menshen as a command, to its end."""
    return subprocess.run(
        [BINARY, *arguments], cwd=cwd, env=env, capture_output=True, timeout=PATIENCE, **identity())


class Daemon:
    """`menshen serve` in `home`, with a Unix socket and, if asked, a TCP port."""

    def __init__(self, home, configuration, arguments=None, env={}, tcp=False, prepare=None, path=None):
        self.home = home
        self.socket = path or f"{home}/run/m.sock"
        self.port = free_port() if tcp else None
        self.database = f"{home}/state/menshen/menshen.db"
        self.config = write(f"{home}/config.toml", configuration)
        self.arguments = arguments or ["serve", "--config", self.config, "--socket", self.socket]
        if tcp and not arguments:
            self.arguments += ["--listen", f":{self.port}"]
        self.env = environment(home, **env)
        self.prepare = prepare
        self.log = f"{home}/stderr"
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = spawn([BINARY, *self.arguments], self.home, self.env, log, self.prepare)
        self.pid = self.process.pid
        if not wait(self.is_up):
            raise SystemExit(f"menshen does not start:\n{self.stderr()}")

    def is_up(self):
        if self.process.poll() is not None:
            raise SystemExit(f"menshen ended with {self.process.returncode}:\n{self.stderr()}")
        try:
            with self.connect():
                return True
        except OSError:
            return False

    def connect(self):
        if self.port:
            return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        end = socket.socket(socket.AF_UNIX)
        try:
            end.settimeout(PATIENCE)
            end.connect(self.socket)
        except OSError:
            end.close()
            raise
        return end

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return "still running after SIGTERM"

    def stderr(self):
        with open(self.log, "rb") as file:
            return file.read().decode(errors="replace")

    def memory(self, name="VmRSS"):
        """Bytes."""
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":")) * 1024

    def rows(self, sql="SELECT * FROM requests ORDER BY id", *values):
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, values)]
        finally:
            connection.close()

    def row(self, request_id):
        """The settled row of a request; its end may be written a few milliseconds after the answer."""
        def find():
            rows = self.rows("SELECT * FROM requests WHERE id = ? AND end_state <> 'open'", number(request_id))
            return rows[0] if rows else None

        return wait(find, 3)

    def settled(self, request_ids):
        """Returns when each of these has its end in the database."""
        wanted = {number(each) for each in request_ids}
        wait(lambda: wanted <= {row["id"] for row in self.rows("SELECT id FROM requests WHERE end_state <> 'open'")}, 3)

    def ask(self, path="/v1/chat/completions", body=CHAT, fields=JSON, unix=True, method="POST"):
        return ask(self.socket if unix else ("127.0.0.1", self.port), path, body, fields, method)


class Caller(http.client.HTTPConnection):
    """A connection to a Unix socket's path or to a (host, port)."""

    def __init__(self, target, patience=PATIENCE):
        super().__init__("localhost", 80 if isinstance(target, str) else target[1], timeout=patience)
        self.target = target

    def connect(self):
        if isinstance(self.target, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self.target)
        else:
            super().connect()


class Answer:
    def __init__(self, response, body):
        self.status, self.fields, self.body = response.status, response.headers, body

    @property
    def id(self):
        return self.fields["x-menshen-request-id"]

    def everything(self):
        return str(self.fields).encode() + self.body


def ask(target, path="/v1/chat/completions", body=CHAT, fields=JSON, method="POST"):
    caller = Caller(target)
    try:
        caller.request(method, path, body, fields)
        response = caller.getresponse()
        return Answer(response, response.read())
    finally:
        caller.close()


def number(request_id):
    """The row id of a request as callers know it: Crockford's base 32."""
    value = 0
    for character in request_id:
        value = value << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(character)
    return value
