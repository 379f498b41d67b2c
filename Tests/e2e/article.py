# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The article's steps as a reader types them, with `menshen` for `ai-menshen`, against a local provider."""

import base64
import os
import re
import subprocess

import openai

from harness import (BINARY, CHAT, JSON, KEY, PATIENCE, TOKEN, ask, check, children, done, environment, equal, free_port,
                     identity, own, place, spawn, wait, write)
from upstream import TEXT, Upstream

PASSWORD = "a-password-of-yours"
upstream = Upstream()
home = place()
env = environment(home)
env["PATH"] = os.path.dirname(BINARY) + ":" + env["PATH"]
EXPORTS = f"export OPENAI_API_KEY={KEY} PROXY_TOKEN={TOKEN}; "


def shell(line):
    return subprocess.run(["bash", "-c", line], cwd=home, env=env, capture_output=True, text=True, timeout=PATIENCE, **identity())


class Session:
    """A line of shell that stays up, and what it printed."""

    def __init__(self, line):
        self.path = f"{home}/out{len(children)}"
        with open(self.path, "wb") as out:
            self.process = spawn(["bash", "-c", EXPORTS + line], home, env, out)

    def text(self):
        with open(self.path) as file:
            return file.read()

    def prints(self, line):
        return wait(lambda: re.search("^" + re.escape(line) + "$", self.text(), re.MULTILINE))

    def end(self):
        self.process.terminate()
        return self.process.wait(PATIENCE)


def bearer(token):
    return {**JSON, "Authorization": f"Bearer {token}"}


def steps():
    version = shell("menshen -version")
    check(version.returncode == 0 and re.match(r"menshen \d+\.\d+\.\d+ \(commit ", version.stdout), "-version prints the version", version)
    written = shell("menshen -gen-config > config.toml")
    equal((written.returncode, written.stderr), (0, ""), "-gen-config writes a configuration to standard output")
    port, other = free_port(), free_port()
    with open(f"{home}/config.toml") as file:
        text = file.read()
    text, urls = re.subn(r'^base_url = ".*"', f'base_url = "{upstream.url}/v1"', text, count=1, flags=re.MULTILINE)
    text, ports = re.subn(r'^listen = ":8080"', f'listen = ":{port}"', text, count=1, flags=re.MULTILINE)
    equal((urls, ports), (1, 1), "the written configuration has a base_url and listens on :8080")
    write(f"{home}/config.toml", text)

    unset = shell("env -u OPENAI_API_KEY -u PROXY_TOKEN menshen -config config.toml")
    check(unset.returncode == 78 and "OPENAI_API_KEY" in unset.stderr and "PROXY_TOKEN" in unset.stderr,
          "an unset variable is named, and the exit code is 78", unset)

    session = Session(f"export MENSHEN_PASSWORD={PASSWORD}; exec menshen -config config.toml")
    check(session.prints(f"Starting menshen on :{port}"), "-config FILE: 'Starting menshen on :PORT'", session.text())
    check(session.prints(f"Dashboard available at http://localhost:{port}/"), "'Dashboard available at …'", session.text())
    requests(port)
    dashboard(port)
    equal(session.end(), 0, "SIGTERM ends it with 0")

    session = Session(f"exec menshen -config config.toml -listen :{other}")
    check(session.prints(f"Starting menshen on :{other}"), "-listen :PORT takes the place of the configuration's", session.text())
    equal(ask(("127.0.0.1", other), fields=bearer(TOKEN)).status, 200, "a request over -listen is answered")
    try:
        ask(("127.0.0.1", port), fields=bearer(TOKEN))
        check(False, "the configuration's address is not listened on")
    except ConnectionRefusedError:
        check(True, "the configuration's address is not listened on")
    # Without a password the page asks for one that nobody has.
    equal(ask(("127.0.0.1", other), "/_menshen/ui/", None, basic("admin", ""), "GET").status, 401, "an empty password opens no page")
    session.end()


def curl(port, path, *options):
    line = ["curl", "-sS", "-m", "10", "-w", "\n%{http_code}", f"http://localhost:{port}{path}", *options]
    out = subprocess.run(line, capture_output=True, text=True, timeout=2 * PATIENCE)
    body, _, status = out.stdout.rpartition("\n")
    return int(status), body + out.stderr


def requests(port):
    send = ["-H", "Content-Type: application/json", "-d", CHAT.decode()]
    for path in ("/chat/completions", "/v1/chat/completions", "/v1/v1/chat/completions"):
        upstream.calls.clear()
        status, body = curl(port, path, "-H", f"Authorization: Bearer {TOKEN}", *send)
        check(status == 200 and TEXT in body, f"curl {path} with the proxy token", (status, body))
        call = upstream.calls[-1]
        equal((call.path, call.field("Authorization")), ("/v1/chat/completions", f"Bearer {KEY}"),
              f"… arrives at the provider's path with the real key ({path})")
        check(TOKEN.encode() not in call.text(), f"… and without the proxy token ({path})")
    for header in ("x-api-key", "api-key", "x-goog-api-key"):
        status, body = curl(port, "/v1/chat/completions", "-H", f"{header}: {TOKEN}", *send)
        check(status == 200 and TOKEN.encode() not in upstream.calls[-1].text(), f"the token may come as {header}", body)
    status, body = curl(port, f"/v1/models?key={TOKEN}&after=x")
    check(status == 200 and upstream.calls[-1].path == "/v1/models?after=x", "the token may come as ?key=", (status, body))
    before = len(upstream.calls)
    status, body = curl(port, "/v1/chat/completions", *send)
    check(status == 401 and '"error"' in body, "without a token: 401", body)
    status, body = curl(port, "/v1/chat/completions", "-H", f"Authorization: Bearer {KEY}", *send)
    check(status == 401, "with the provider's own key in its place: 401", body)
    equal(len(upstream.calls), before, "refused requests do not reach the provider")
    status, body = curl(port, "/v1/chat/completions", "-N", "-H", f"Authorization: Bearer {TOKEN}", "-H",
                        "Content-Type: application/json", "-d", '{"model": "one", "stream": true, "messages": []}')
    check(status == 200 and body.rstrip().endswith("data: [DONE]"), "curl -N streams to [DONE]", body)
    client = openai.OpenAI(base_url=f"http://localhost:{port}", api_key=TOKEN)
    answer = client.chat.completions.create(model="one", messages=[{"role": "user", "content": "Good morning!"}])
    equal(answer.choices[0].message.content, TEXT, "the article's SDK call, base URL without /v1")


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


UI = "/_menshen/ui/"


def dashboard(port):
    target = ("127.0.0.1", port)
    first = ask(target, "/", None, {}, "GET")
    equal((first.status, first.fields["Location"]), (303, UI), "/ leads to the dashboard")
    equal(ask(target, UI, None, {}, "GET").status, 401, "the page asks for a password")
    equal(ask(target, UI, None, basic("admin", "wrong"), "GET").status, 401, "a wrong password is refused")
    said = {"system": ("menshen", "Serving", "Listens on", f"127.0.0.1:{port}"), "providers": ("openai", upstream.url),
            "log": ("one", "openai", "Complete"), "": ("Spend", "Requests", "Providers")}
    for name, words in said.items():
        page = ask(target, UI + name, None, basic("admin", PASSWORD), "GET")
        equal(page.status, 200, f"user and password open the page '{name}'")
        html = page.body.decode()
        text = re.sub(r"<[^>]*>", " ", html)
        for word in words:
            check(word in text, f"it says '{word.replace(str(port), 'PORT').replace(str(upstream.port), 'PORT')}'", text)
        check(KEY not in html and TOKEN not in html, "it shows neither key nor token")
        check("default-src 'none'" in page.fields["Content-Security-Policy"], "it loads nothing that it does not name")


AI_MENSHEN = """\
listen = ":{port}"
verbose = true

[auth]
enable = true
user = "admin"
password = "secret-page"
token = "${{PROXY_TOKEN}}"

[providers]
base_url = "{url}/v1"
api_key = "${{OPENAI_API_KEY}}"
headers = {{ "X-Team" = "research" }}
model = ""
weight = 1

[upstream]
timeout = 300
max_idle_conns_per_host = 100

[failover]
enable = true

[storage]
retention_days = 30

[storage.sqlite]
path = "{home}/data/ai.db"

[cache]
enable = true
max_body_bytes = 5242880
max_age = 3600

[logging]
log_request_body = true
log_response_body = true
"""


def configuration_of_ai_menshen():
    port = free_port()
    os.mkdir(f"{home}/data", 0o700)
    own(f"{home}/data")
    write(f"{home}/ai.toml", AI_MENSHEN.format(port=port, url=upstream.url, home=home))
    session = Session("exec menshen -config ai.toml")
    if check(session.prints(f"Starting menshen on :{port}"), "a configuration of ai-menshen starts", session.text()):
        equal(ask(("127.0.0.1", port), fields=bearer(TOKEN)).status, 200, "… and answers")
        equal(upstream.calls[-1].field("X-Team"), "research", "… and adds its headers")
        page = ask(("127.0.0.1", port), UI, None, basic("admin", "secret-page"), "GET")
        equal(page.status, 200, "… and opens its page")
        check(os.path.exists(f"{home}/data/ai.db"), "… and keeps its records where it says")
    session.end()


steps()
configuration_of_ai_menshen()
done()
