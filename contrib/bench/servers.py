# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The processes of a run: the stand-in provider, nginx, menshen; started here, measured here, ended here."""

import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = "bench-token-123"
KEY = "sk-bench"
LIBC = ctypes.CDLL(None)


class Broken(Exception):
    """A process or a tool failed; the measure it belongs to has no figure."""


def die_with_parent():
    """Runs in the child: whatever ends this program ends it too."""
    PR_SET_PDEATHSIG = 1
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    """A started server. Its figures cover the process and its children (nginx: master and worker)."""

    def __init__(self, command, log, environment=None, **options):
        self.log = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stderr=out, stdout=options.pop("stdout", out),
                env=environment, preexec_fn=die_with_parent)

    def pids(self):
        pid = self.child.pid
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:
            children = ""
        return [pid, *map(int, children.split())]

    def cpu(self):
        """CPU seconds used so far: the counter of /proc/PID/task/*/schedstat, threads that have ended included."""
        CPUCLOCK_SCHED = 2
        return sum(time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED) for pid in self.pids())

    def resident(self):
        """Resident KiB of the largest process: nginx's master only shares its pages with the worker."""
        page = os.sysconf("SC_PAGE_SIZE") // 1024
        return max(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in self.pids())

    def check(self):
        if self.child.poll() is not None:
            tail = pathlib.Path(self.log).read_text(errors="replace")[-600:]
            raise Broken(f"process ended with {self.child.returncode}: {tail.strip()}")

    def wait(self, name, is_ready):
        limit = time.monotonic() + 10
        while not is_ready():
            self.check()
            if time.monotonic() > limit:
                self.stop()
                raise Broken(f"{name} does not listen after 10 s")
            time.sleep(0.01)

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


class Upstream(Process):
    """The provider of upstream.c."""

    def __init__(self, tools, directory):
        super().__init__([tools["upstream"], "--key", KEY, "--token", TOKEN], directory / "upstream.log",
                         stdout=subprocess.PIPE)
        self.port = int(self.child.stdout.readline())

    def stats(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", "/__stats")
        stats = json.loads(connection.getresponse().read())
        connection.close()
        return stats


class Provider:
    """What a proxy is to reach: the stand-in itself, or haproxy before it, which speaks TLS 1.3."""

    def __init__(self, upstream, directory, protocol=None):
        self.upstream, self.port, self.protocol, self.front = upstream, upstream.port, protocol, None
        self.scheme, self.authority = "https" if protocol else "http", None
        if not protocol:
            return
        self.port, self.authority = free_port(), directory / "authority.pem"
        key, both = directory / "key.pem", directory / "both.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
             "-out", self.authority, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
            check=True, capture_output=True)
        both.write_text(self.authority.read_text() + key.read_text())
        configuration = directory / "front.cfg"
        configuration.write_text(
            HAPROXY + f"frontend f\n bind 127.0.0.1:{self.port} ssl crt {both} alpn h2,http/1.1 ssl-min-ver TLSv1.3 "
            "backlog 4096\n default_backend b\nbackend b\n http-reuse always\n "
            f"server s 127.0.0.1:{upstream.port} pool-max-conn 2048\n")
        self.front = Process([shutil.which("haproxy"), "-f", str(configuration)], directory / "front.log")
        self.front.wait("haproxy", self.listens)

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.front:
            self.front.stop()


HAPROXY = """global
 nbthread 1
 maxconn 9000
 tune.h2.max-concurrent-streams 1000
defaults
 mode http
 option http-no-delay
 timeout connect 5s
 timeout client 300s
 timeout server 300s
 timeout http-keep-alive 300s
"""


class Proxy(Process):
    """A running nginx or menshen, answering on TCP and on a Unix socket."""

    def __init__(self, kind, directory, provider):
        self.kind, self.port = kind, free_port()
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(mode=0o700)
        self.socket = self.directory / "proxy.sock"
        listeners = [f"127.0.0.1:{self.port}", f"unix:{self.socket}"]
        command, environment = kind.command(self.directory, provider, listeners)
        super().__init__(command, self.directory / "output.log", environment)
        self.wait(kind.name, self.answers)

    def answers(self):
        for family, address in ((socket.AF_INET, ("127.0.0.1", self.port)), (socket.AF_UNIX, str(self.socket))):
            with socket.socket(family) as s:
                if s.connect_ex(address):
                    return False
        return True

    def target(self, transport):
        return f"tcp:127.0.0.1:{self.port}" if transport == "tcp" else f"unix:{self.socket}"

    def records(self):
        return self.kind.records(self.directory)


class Nginx:
    """The reference, and with `--proxy nginx` also what is compared with it: then every ratio must be near 1."""

    def __init__(self, name="nginx"):
        self.name, self.binary = name, shutil.which("nginx")

    def version(self):
        return subprocess.run([self.binary, "-v"], capture_output=True, text=True).stderr.strip().split(": ")[-1]

    def command(self, directory, provider, listeners):
        text = (HERE / "nginx.conf").read_text()
        listen = " ".join(f"listen {each};" for each in listeners)
        if os.geteuid() == 0:
            text = "user root;\n" + text  # the worker writes into this run's private directory
        # nginx would speak TLS 1.2, which is cheaper than what everybody else here speaks.
        tls = f"""proxy_set_header Host localhost; proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {provider.authority}; proxy_ssl_protocols TLSv1.3;""" if provider.protocol else ""
        values = {"DIR": directory, "UPSTREAM": provider.port, "KEY": KEY, "LISTEN": listen, "SCHEME": provider.scheme,
                  "TLS": tls}
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        config = directory / "nginx.conf"
        config.write_text(text)
        return [self.binary, "-e", f"{directory}/error.log", "-p", str(directory), "-c", str(config)], None

    def records(self, directory):
        with open(directory / "access.log", "rb") as log:
            return sum(1 for _ in log)


class Haproxy:
    """The reference over HTTP/2, which Debian's nginx does not speak to providers."""

    name = "haproxy"

    def __init__(self):
        self.binary = shutil.which("haproxy")

    def version(self):
        return " ".join(subprocess.run([self.binary, "-v"], capture_output=True, text=True).stdout.split()[:3])

    def command(self, directory, provider, listeners):
        config = directory / "haproxy.cfg"
        binds = "".join(f" bind {each.replace('unix:', 'unix@')} backlog 4096\n" for each in listeners)
        config.write_text(
            HAPROXY.replace("defaults\n", f" log {directory}/log.sock local0\ndefaults\n log global\n option httplog\n")
            + f"frontend f\n{binds} http-request set-header Authorization \"Bearer {KEY}\"\n default_backend b\n"
            f"backend b\n http-reuse always\n server s 127.0.0.1:{provider.port} ssl verify required ca-file "
            f"{provider.authority} verifyhost localhost sni str(localhost) alpn {provider.protocol} pool-max-conn 2048\n")
        return [self.binary, "-f", str(config)], None

    def records(self, directory):
        raise Broken("haproxy keeps no records here")


def access():
    """50 further tokens, 20 rules of which the caller falls under the last two, by its token and by its user, and 3 limits."""
    tokens = "".join(f'[[auth.tokens]]\nname = "user-{n}"\ntoken = "bench-token-of-user-{n:03}"\n' for n in range(50))
    who = [f'token = ["user-{n}", "user-{n + 20}"]' for n in range(18)] + ['token = "default"', f'user = "{os.geteuid()}"']
    rules = "".join(f'[[callers]]\nname = "rule-{n}"\n{each}\nmodels = ["gpt-*", "claude-*"]\n' for n, each in enumerate(who))
    return tokens + rules + '[limits]\ninstance = ["1000000000 requests/day", "1000000000000 tokens/month", ' \
        '"1000000000 requests/7d rolling"]\n'


class Menshen:
    def __init__(self, binary, name="menshen", more=""):
        self.binary, self.name, self.more = str(pathlib.Path(binary).resolve()), name, more

    def version(self):
        try:
            out = subprocess.run([self.binary, "--version"], capture_output=True, text=True, timeout=10).stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"({error})"
        return out.strip().splitlines()[0] if out.strip() else "(no version)"

    def command(self, directory, provider, listeners):
        config = directory / "config.toml"
        config.write_text(
            f'[auth]\ntoken = "{TOKEN}"\n'
            f'[[providers]]\nkind = "openai"\napi_key = "{KEY}"\n'
            f'base_url = "{provider.scheme}://{"localhost" if provider.protocol else "127.0.0.1"}:{provider.port}/v1"\n'
            + (f'ca_file = "{provider.authority}"\nhttp2 = {str(provider.protocol == "h2").lower()}\n'
               if provider.protocol else "") +
            f'[storage.sqlite]\npath = "{directory}/menshen.db"\n' + self.more)
        config.chmod(0o600)
        command = [self.binary, "serve", "--config", str(config)]
        if len(listeners) == 2:  # else the socket is inherited
            command += ["--listen", listeners[0], "--socket", listeners[1].removeprefix("unix:")]
        environment = {
            "PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "HOME": str(directory),
            "XDG_RUNTIME_DIR": str(directory)}
        if "MENSHEN_HTTP" in os.environ:
            environment["MENSHEN_HTTP"] = os.environ["MENSHEN_HTTP"]
        return command, environment

    def records(self, directory):
        with sqlite3.connect(f"file:{directory}/menshen.db?mode=ro", uri=True, timeout=10) as database:
            return database.execute("SELECT count(*) FROM requests").fetchone()[0]


class Peak:
    """Highest resident size of a process while the block runs, sampled every 20 ms."""

    def __init__(self, process):
        self.process, self.kib, self.over = process, 0, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.over.wait(0.02):
            try:
                self.kib = max(self.kib, self.process.resident())
            except (OSError, ValueError):
                return

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
