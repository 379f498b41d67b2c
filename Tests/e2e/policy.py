# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Who may ask for what: `[[callers]]` under the real SDKs and against callers that look for a way around, over TCP and the
Unix socket."""

import gzip
import json
import os

import anthropic
import openai

import clients
from clients import WAYS
from harness import IS_ROOT, JSON, NOBODY, TOKEN, Daemon, ask, check, done, equal, free_port, place, run, wait, write
from upstream import TEXT, Upstream

PROMPT = [{"role": "user", "content": "Good morning!"}]
LAPTOP = "laptop-token-of-the-caller-77aa"
USER = NOBODY if IS_ROOT else os.getuid()
one, two = Upstream(), Upstream()


def configuration(rules, first=None):
    return f"""\
[auth]
token = "{TOKEN}"
[[auth.tokens]]
name = "laptop"
token = "{LAPTOP}"
[failover]
breaker_failures = 0
[cache]
enable = true
max_age = "1h"
scope = "instance"
{rules}
[[providers]]
name = "one"
kind = "openai"
base_url = "{first or one.url}/v1"
api_key = "sk-one-11111111"
aliases = {{ fast = "dear-large", small = "cheap-small" }}
weight = 1000000
[[providers]]
name = "two"
kind = "openai"
base_url = "{two.url}/v1"
api_key = "sk-two-22222222"
[[providers]]
name = "claude"
kind = "anthropic"
base_url = "{one.url}"
api_key = "sk-ant-333333333"
"""


def rule(name, *lines):
    return "\n".join(["[[callers]]", f'name = "{name}"', *lines]) + "\n"


# The tests themselves call as root where the daemon is somebody else's.
CHEAP = rule("laptops", 'token = "laptop"', 'models = ["cheap-*", "small"]', 'providers = ["one", "claude"]') + \
    rule("students", f'user = ["{USER}", "{os.getuid()}"]', 'models = ["cheap-*", "small"]') + \
    rule("owners", 'token = "default"', 'models = ["cheap-*", "small"]')


def asked():
    return len(one.calls) + len(two.calls)


def sdks(way):
    """Real programs see an error of their own API's kind, and what is allowed works."""
    daemon = Daemon(place(), configuration(CHEAP), tcp=True)
    client = clients.over(daemon, openai, "OpenAI", way, max_retries=2)
    name = "owners" if way == "TCP" else "students"
    for model in ("cheap-1", "small"):
        equal(client.chat.completions.create(model=model, messages=PROMPT).choices[0].message.content, TEXT,
              f"{way}: a model that the rule allows is answered ({model})")
    before = asked()
    for model in ("dear-1", "fast"):
        try:
            client.chat.completions.create(model=model, messages=PROMPT, stream=True)
            check(False, f"{way}: {model} is refused")
        except openai.PermissionDeniedError as error:
            check(f"The rule '{name}' of [[callers]]" in str(error) and error.code == "denied_by_policy", f"{way}: {model} is refused by name", error)
    claude = clients.over(daemon, anthropic, "Anthropic", way, version="", max_retries=2)
    for call in (lambda: claude.messages.create(model="dear-1", max_tokens=9, messages=PROMPT),
                 lambda: claude.messages.batches.create(requests=[{"custom_id": "a", "params": {
                     "model": "cheap-1", "max_tokens": 9, "messages": PROMPT}}])):
        try:
            call()
            check(False, f"{way}: Anthropic's SDK is refused")
        except anthropic.PermissionDeniedError as error:
            equal(error.body["error"]["type"], "permission_error", f"{way}: Anthropic's SDK gets an error of its own kind")
    equal(asked(), before, f"{way}: nothing of it went to a provider, and no SDK tried again")
    check(len(list(client.models.list())) == 2, f"{way}: models are listed")
    message = claude.messages.create(model="cheap-1", max_tokens=9, messages=PROMPT)
    equal(message.content[0].text, TEXT, f"{way}: and Anthropic's answers what is allowed")
    wait(lambda: len(daemon.rows("SELECT 1 FROM requests WHERE end_state = 'refused'")) == 4, 3)
    rows = daemon.rows("SELECT problem, provider FROM requests WHERE end_state = 'refused'")
    equal({(row["problem"], row["provider"]) for row in rows}, {("denied_by_policy", None)}, f"{way}: refusals are recorded as such")
    daemon.stop()


def ways_around(way):
    daemon = Daemon(place(), configuration(CHEAP), tcp=True)
    target = daemon.socket if way == "Unix socket" else ("127.0.0.1", daemon.port)
    fields = JSON if way == "Unix socket" else {**JSON, "Authorization": f"Bearer {TOKEN}"}

    def body(model, **more):
        return json.dumps({"model": model, "messages": PROMPT, **more}).encode()

    dear = body("dear-1")
    cases = [
        ("the model", "/v1/chat/completions", dear, {}, {403}),
        ("another case", "/v1/chat/completions", body("CHEAP-1"), {}, {403}),
        ("a duplicate", "/v1/chat/completions", b'{"model":"cheap-1","messages":[],"model":"dear-1"}', {}, {400}),
        ("a duplicate in another case", "/v1/chat/completions", b'{"model":"cheap-1","messages":[],"MODEL":"dear-1"}', {}, {400}),
        ("an escape", "/v1/chat/completions", b'{"mod\\u0065l":"dear\\u002d1","messages":[]}', {}, {403}),
        ("no model", "/v1/chat/completions", b'{"messages":[]}', {}, {403}),
        ("no body", "/v1/chat/completions", b"", {}, {403}),
        ("several models", "/v1/chat/completions", body("cheap-1,dear-1"), {}, {403}),
        ("further models", "/v1/chat/completions", body("cheap-1", models=["dear-1"]), {}, {403}),
        ("fallbacks", "/v1/chat/completions", body("cheap-1", fallbacks=["dear-1"]), {}, {403}),
        ("an alias", "/v1/chat/completions", body("fast"), {}, {403}),
        ("a provider's name", "/one/v1/chat/completions", dear, {}, {403}),
        ("the query", "/v1/chat/completions?model=dear-1", body("cheap-1"), {}, {403}),
        ("without the version", "/chat/completions", dear, {}, {403}),
        ("doubled slashes", "//v1//chat/completions", dear, {}, {403}),
        ("an escaped path", "/v1/ch%61t/completions", dear, {}, {403}),
        ("a form's label", "/v1/chat/completions", dear, {"Content-Type": "application/x-www-form-urlencoded"}, {403, 415}),
        ("gzip", "/v1/chat/completions", gzip.compress(dear), {"Content-Encoding": "gzip"}, {403}),
        ("a coding that nobody knows", "/v1/chat/completions", dear, {"Content-Encoding": "none-such"}, {415}),
        ("UTF-16", "/v1/chat/completions", dear.decode().encode("utf-16"), {}, {400}),
        ("Gemini's path", "/v1beta/models/dear-1:generateContent", body("cheap-1"), {}, {403}),
        ("an escape in Gemini's path", "/v1beta/models/dear%2D1:generateContent", body("cheap-1"), {}, {403}),
        ("Azure's path", "/openai/deployments/dear-1/chat/completions?api-version=1", body("cheap-1"), {}, {403}),
        ("Bedrock's path", "/model/dear-1/converse", body("cheap-1"), {}, {403}),
        ("an engine's path", "/v1/engines/dear-1/completions", body("cheap-1"), {}, {403}),
        ("a path that nobody knows", "/v1/run/dear-1", body("cheap-1"), {}, {403}),
        ("a batch", "/v1/batches", body("cheap-1"), {}, {403}),
        ("a session's secret", "/v1/realtime/client_secrets", body("cheap-1"), {}, {403}),
        ("a large body", "/v1/chat/completions", b'{"pad":"' + b"x" * (3 << 20) + b'","model":"dear-1"}', {}, {400}),
    ]
    before = asked()
    for sentence, path, content, more, statuses in cases:
        try:
            status = ask(target, path, content, {**fields, **more}).status
        except (BrokenPipeError, ConnectionResetError):
            # It has not read the whole of what was too much.
            status = 400
        check(status in statuses, f"{way}: {sentence} is no way around a rule about models", status)
    equal(asked(), before, f"{way}: no provider has heard of any")
    equal(ask(target, body=gzip.compress(body("cheap-1")), fields={**fields, "Content-Encoding": "gzip"}).status in (403, 415), False,
          f"{way}: what is allowed may be compressed")
    daemon.stop()


def tokens():
    """On the Unix socket a token narrows; over TCP it is all that is known."""
    daemon = Daemon(place(), configuration(
        rule("admin", 'token = "default"') + rule("laptops", 'token = "laptop"', 'operations = ["models"]')
        + rule("me", f'user = ["{USER}", "{os.getuid()}"]', 'models = ["cheap-*"]')), tcp=True)
    chat = json.dumps({"model": "dear-1", "messages": PROMPT}).encode()
    for token, unix, status in ((TOKEN, False, 200), (TOKEN, True, 403), (LAPTOP, True, 403), (LAPTOP, False, 403), ("sk-unknown-1", True, 403)):
        answer = daemon.ask(body=chat, fields={**JSON, "Authorization": f"Bearer {token}"}, unix=unix)
        equal(answer.status, status, f"dear-1 with {token[:8]} over {'the Unix socket' if unix else 'TCP'}: {status}")
    equal(daemon.ask("/_menshen/status", method="GET", body=None).status, 200, "menshen's own pages have their own door")
    before = daemon.ask("/v1/models", method="GET", body=None, fields={"Authorization": f"Bearer {LAPTOP}"}, unix=False).status
    write(daemon.config, configuration(rule("laptops", 'token = "laptop"', "deny = true") + rule("rest")))
    daemon.signal(1)
    after = wait(lambda: daemon.ask("/v1/models", method="GET", body=None, fields={"Authorization": f"Bearer {LAPTOP}"}, unix=False).status == 403)
    equal((before, after), (200, True), "a rule holds from the reload on")
    equal(daemon.ask().status, 200, "and the rest is served")
    daemon.stop()


def failover_and_cache():
    gone = f"http://127.0.0.1:{free_port()}"
    daemon = Daemon(place(), configuration(CHEAP, gone), tcp=True)
    chat = json.dumps({"model": "cheap-1", "messages": PROMPT}).encode()

    def laptop(body):
        return daemon.ask(body=body, fields={**JSON, "Authorization": f"Bearer {LAPTOP}"}, unix=False)

    equal(daemon.ask(body=chat).status, 200, "the first provider is gone, and the second answers whom it may")
    check(laptop(chat).status == 502, "whom it may not gets the first one's failure, and no stored answer of the second's")
    equal(laptop(json.dumps({"model": "dear-1", "messages": PROMPT}).encode()).status, 403, "and what the rule forbids is refused before")
    daemon.stop()


def commands():
    home = place()
    config = write(f"{home}/c.toml", configuration(CHEAP))
    allowed = run("policy", "test", "--config", config, "--user", str(USER), "--model", "cheap-1")
    equal(allowed.returncode, 0, "policy test says what is allowed")
    refused = run("policy", "test", "--config", config, "--user", str(USER), "--model", "fast", "--json")
    equal((refused.returncode, json.loads(refused.stdout)["rule"]), (1, "students"), "and what is not, in JSON")
    write(config, configuration(rule("all") + rule("late", f'user = "{USER}"')))
    checked = run("config", "check", config)
    check(checked.returncode == 0 and b"can never match" in checked.stderr, "config check finds a rule that can never match", checked.stderr)


for way in WAYS:
    sdks(way)
    ways_around(way)
tokens()
failover_and_cache()
commands()
done()
