# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""`menshen dashboard` from outside: a real daemon, the real command, and browsers by hand. Also the door over TCP."""

import fcntl
import http.client
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import urllib.parse

from harness import *
from harness import BINARY
from upstream import Upstream

upstream = Upstream()
home = place()
BASIC = "Basic YWRtaW46b3BlbiBzZXNhbWU="  # admin:open sesame
daemon = Daemon(home, f"""\
[auth]
user = "admin"
password = "open sesame"
token = "{TOKEN}"
[cache]
enable = true
max_age = "1h"
[[providers]]
name = "openai"
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "{KEY}"
""", tcp=True)
OPTIONS = ("--no-open", "--socket", daemon.socket, "--config", daemon.config)


class Session:
    """The command as a child, and what a browser would know of it."""

    def __init__(self, *arguments, terminal=None):
        self.process = subprocess.Popen(
            [BINARY, "dashboard", *OPTIONS, *arguments], cwd=home, env=daemon.env,
            stdin=terminal or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=self.prepare if terminal else die_with_parent, **identity())
        children.append(self.process)
        self.link = self.process.stdout.readline().decode().strip()
        self.port = urllib.parse.urlsplit(self.link).port
        self.path = urllib.parse.urlsplit(self.link).path
        self.origin = f"http://127.0.0.1:{self.port}"
        self.cookie = None

    @staticmethod
    def prepare():
        os.setsid()
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def ask(self, path="/_menshen/ui/", form=None, method=None, host=None, **fields):
        """A form goes as a browser would send it from a page of the session, unless `fields` say otherwise."""
        method = method or ("GET" if form is None else "POST")
        fields = {name.replace("_", "-"): value for name, value in fields.items()}
        if method == "POST":
            fields = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "null",
                      "Sec-Fetch-Site": "same-origin", **fields}
        if self.cookie:
            fields["Cookie"] = self.cookie
        fields["Host"] = host or f"127.0.0.1:{self.port}"
        caller = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            caller.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            body = urllib.parse.urlencode(form or {}, doseq=True).encode()
            if method == "POST":
                fields["Content-Length"] = str(len(body))
            for name, value in fields.items():
                caller.putheader(name, value)
            caller.endheaders(body if method == "POST" else None)
            response = caller.getresponse()
            return Answer(response, response.read())
        finally:
            caller.close()

    def open(self):
        answer = self.ask(self.path, method="POST")
        self.cookie = (answer.fields["Set-Cookie"] or "").split(";")[0]
        return answer

    def form_token(self):
        return re.search(rb'name="form" value="([^"]+)"', self.ask("/_menshen/ui/new-token").body)[1].decode()

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def link():
    session = Session()
    check(re.fullmatch(r"http://127\.0\.0\.1:\d+/open/[a-z2-9]{32}", session.link), "a link is printed, alone", session.link)
    equal(session.ask().status, 401, "without its cookie nothing is shown")
    check(b"menshen dashboard" in session.ask("/").body, "and it is said what to type")
    equal([session.ask(session.path).status for _ in range(2)], [200, 200], "to look at the link uses nothing up")
    for host in ("evil.example", f"evil.example:{session.port}", f"127.0.0.1:{session.port + 1}", "127.0.0.1"):
        equal(session.ask(session.path, host=host).status, 421, f"under the name {host} there is nothing")
    equal(session.ask(session.path, method="POST", Origin="http://evil.example", Sec_Fetch_Site="cross-site").status, 403,
          "no other page opens it")
    opened = session.open()
    equal((opened.status, opened.fields["Location"]), (303, "/_menshen/ui/"), "its button opens the dashboard")
    equal(opened.fields["Set-Cookie"].split("; ")[1:], ["Path=/", "HttpOnly", "SameSite=Strict"], "by a cookie of this host")
    check(session.cookie.startswith(f"menshen-{session.port}="), "whose name has the port", session.cookie)
    equal(session.ask().status, 200, "with which the dashboard is there")
    for method in ("GET", "POST"):
        equal(session.ask(session.path, method=method).status, 410, f"a second {method} of the link finds it used")
    for path in ("/v1/models", "/openai/v1/models", "/_menshen/status", "/_menshen/admin/tokens", "/_menshen/ui/../status",
                 "/_menshen/ui/%2e%2e/admin/tokens"):
        equal(session.ask(path).status, 404, f"{path} is not there")
    equal(session.ask("/v1/chat/completions", form={"model": "one"}).status, 403, "and nothing can be asked of a provider")
    equal(len(upstream.calls), 0, "which has heard nothing")
    return session


def tokens(session):
    form = session.form_token()
    page = "/_menshen/ui/new-token"
    equal(session.ask(page, {"form": form, "name": "ci"}, Origin="http://evil.example", Sec_Fetch_Site="cross-site").status, 403,
          "a form of another site is refused")
    equal(session.ask(page, {"form": form, "name": "ci"}, Origin=f"http://127.0.0.1:{daemon.port}", Sec_Fetch_Site="same-site")
          .status, 403, "and so is one of another port")
    equal(session.ask(page, {"form": "x" * 32, "name": "ci"}).status, 403, "and one without the session's token")
    refused = session.ask(page, {"form": form, "name": "ci", "providers": "openai", "limits": "5usd/dy"})
    check(refused.status == 400 and b"is no limit" in refused.body and b"new-token?name=ci" in refused.body,
          "what is refused says why, and how to mend it", refused.body)
    made = session.ask(page, {"form": form, "name": "ci", "providers": "openai", "limits": "9requests/day"})
    token = re.search(rb"mns_\w+", made.body)
    if not check(made.status == 200 and token, "a form makes a token, which its page shows", made.body):
        return
    token = token[0].decode()
    fields = {**JSON, "Authorization": f"Bearer {token}"}
    equal(daemon.ask(fields=fields, unix=False).status, 200, "it works")
    check(token not in session.ask("/_menshen/ui/tokens/ci").body.decode(), "no other page shows it")
    listed = run("token", "show", "ci", "--socket", daemon.socket, cwd=home, env=daemon.env).stdout
    check(b"9requests/day" in listed, "'menshen token show' knows it", listed)
    address = "/_menshen/ui/tokens/ci"
    equal(session.ask(f"{address}/edit", {"form": form, "models": "two"}).status, 303, "it is changed")
    equal(daemon.ask(fields=fields, unix=False).status, 403, "which holds at once")
    turned = session.ask(f"{address}/rotate", {"form": form, "grace": "1h"})
    check(re.search(rb"mns_\w+", turned.body), "it is rotated", turned.body)
    equal(session.ask(f"{address}/revoke", {"form": form, "confirm": "c"}).status, 400, "to revoke it wants its name")
    equal(session.ask(f"{address}/revoke", {"form": form, "confirm": "ci"}).status, 303, "with which it is done")
    equal(daemon.ask(fields=fields, unix=False).status, 401, "and nobody gets in with it")
    for text in (daemon.stderr(), session.ask("/_menshen/ui/log").body.decode()):
        check(form not in text and session.cookie.split("=")[1] not in text and KEY not in text, "no secret is told")


def cache(session):
    form = session.form_token()
    page = "/_menshen/ui/system/clear-cache"
    equal([daemon.ask().fields["X-Cache"] for _ in range(2)], ["MISS", "HIT"], "an answer is stored")
    equal(session.ask(page, {"form": "x" * 32}).status, 403, "no other form throws it away")
    equal(daemon.ask().fields["X-Cache"], "HIT", "so that it is still there")
    equal(session.ask(page, {"form": form}).status, 303, "the session's form does")
    equal([daemon.ask().fields["X-Cache"] for _ in range(2)], ["MISS", "HIT"], "and it is asked for anew")
    done = run("cache", "clear", "--socket", daemon.socket, cwd=home, env=daemon.env)
    equal((done.returncode, done.stdout), (0, b"1 stored answer thrown away.\n"), "'menshen cache clear' does the same")
    equal(daemon.ask().fields["X-Cache"], "MISS", "and it is gone")
    equal(daemon.stderr().count("cache clear '"), 2, "each is recorded")


class Changes:
    """What a page is told that follows, of the daemon itself or through the session."""

    def __init__(self, target, fields={}):
        self.caller = Caller(target)
        self.caller.request("GET", "/_menshen/ui/changes", headers=fields)
        self.response = self.caller.getresponse()

    def hears(self, *lines):
        """Whether one of these lines comes; the end of the stream is an empty one."""
        try:
            while line := self.response.readline():
                if line.strip() in lines:
                    return True
        except OSError:
            pass
        return b"" in lines

    @property
    def head(self):
        return self.response.status, self.response.getheader("Content-Type")


def follow(session):
    """That something has changed, as it happens."""
    door = ("127.0.0.1", session.port)
    fields = {"Cookie": session.cookie, "Host": f"127.0.0.1:{session.port}"}
    equal(session.ask("/_menshen/ui/live").status, 200, "there is a page of what is under way")
    equal(Changes(door, {**fields, "Cookie": "menshen=1"}).response.status, 401, "without the cookie nobody follows it")
    equal(Changes(("127.0.0.1", daemon.port)).response.status, 401, "nor over TCP without the password")
    for name, each in (("in the session", Changes(door, fields)), ("on the Unix socket", Changes(daemon.socket)),
                       ("by password", Changes(("127.0.0.1", daemon.port), {"Authorization": BASIC}))):
        equal(each.head, (200, "text/event-stream"), f"{name} one follows")
        equal(daemon.ask(fields={**JSON, "Cache-Control": "no-cache"}).status, 200, "a request is asked")
        check(each.hears(b"event: changed"), "of which is told")
        each.caller.close()
    several = [Changes(door, fields) for _ in range(4)]
    equal(Changes(door, fields).response.status, 503, "a session has four that follow")
    several.pop().caller.close()
    check(wait(lambda: Changes(door, fields).response.status == 200), "and another once one has left")
    return several[0]


def others(session):
    """Another user of the machine, with the link and the cookie."""
    if not IS_ROOT:
        return skipped("another user on the port", "not root")
    program = f"""
import os, socket
os.setgroups([]); os.setgid(65532); os.setuid(65532)
end = socket.socket()
end.settimeout(5)
end.connect(("127.0.0.1", {session.port}))
try:
    end.sendall(b"GET /_menshen/ui/ HTTP/1.1\\r\\nHost: 127.0.0.1:{session.port}\\r\\nCookie: {session.cookie}\\r\\n\\r\\n")
    print(end.recv(100))
except OSError as error:
    print(type(error).__name__)
"""
    tried = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=PATIENCE, cwd="/")
    check(tried.stdout.strip() in (b"b''", b"ConnectionResetError", b"BrokenPipeError"),
          "another user is cut off, cookie or not", tried)
    equal(session.ask().status, 200, "the owner is not")


def ends(session, followed):
    daemon.stop()
    check(followed.hears(b"event: stopped"), "who follows is told that menshen stops")
    gone = session.ask()
    check(gone.status == 503 and b"menshen serve" in gone.body, "a daemon that is gone is told of with the fix", gone.body)
    stray = run("dashboard", *OPTIONS, cwd=home, env=daemon.env)
    check(stray.returncode == 69 and b"menshen serve" in stray.stderr and not stray.stdout, "and at the start too", stray)
    daemon.start()
    equal(session.ask().status, 200, "with the daemon the session goes on")
    followed = Changes(("127.0.0.1", session.port), {"Cookie": session.cookie, "Host": f"127.0.0.1:{session.port}"})
    equal(followed.response.status, 200, "who follows can follow again")
    equal(session.end(signal.SIGINT), 0, "Ctrl-C ends it")
    check(followed.hears(b""), "and whatever follows in it")
    try:
        socket.create_connection(("127.0.0.1", session.port), 1).close()
        check(False, "nobody listens there then")
    except OSError:
        check(True, "nobody listens there then")
    equal(Session().end(signal.SIGTERM), 0, "so does SIGTERM")
    mine, theirs = pty.openpty()
    within = Session(terminal=theirs)
    os.close(theirs)
    os.close(mine)
    check(wait(lambda: within.process.poll() is not None), "and the end of its terminal")
    taken = Session()
    second = run("dashboard", *OPTIONS, "--port", str(taken.port), cwd=home, env=daemon.env)
    check(second.returncode == 78 and b"taken by another process" in second.stderr, "a port that is taken is told", second)
    taken.end(signal.SIGTERM)
    usage = run("dashboard", "--port", "80", cwd=home, env=daemon.env)
    equal(usage.returncode, 64, "one of root's is wrong usage")


def door():
    """The password over TCP."""
    def look(path="/_menshen/ui/tokens", **fields):
        return daemon.ask(path, None, {name.replace("_", "-"): value for name, value in fields.items()}, False, "GET")
    equal((look("/").status, look("/").fields["Location"]), (303, "/_menshen/ui/"), "/ leads to the dashboard")
    shown = look(Authorization=BASIC, X_Menshen_Form="f0rm")
    check(shown.status == 200 and b'method="post"' not in shown.body and b"New token" not in shown.body,
          "with the password it only shows", shown.body)
    equal([look(Authorization="Basic YWRtaW46bm8=").status for _ in range(5)], [401] * 5, "five wrong passwords are wrong")
    late = look(Authorization=BASIC)
    if check(late.status in (429, 200), "then the address waits", late.status) and late.status == 429:
        equal(late.fields["Retry-After"], "1", "for a second, which is said")
    equal(daemon.ask("/_menshen/ui/", None, {}, True, "GET").status, 200, "the Unix socket does not")
    check(wait(lambda: look(Authorization=BASIC).status == 200, pause=0.1), "the right one in time counts")


session = link()
tokens(session)
cache(session)
others(session)
followed = follow(session)
ends(session, followed)
door()
done()
