# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Tokens from outside: `menshen token`, the openai SDK, kept connections, streams that are cut, kill -9, two workers."""

import json
import os
import sqlite3
import stat
import subprocess

import openai

from harness import *
from harness import BINARY
from upstream import TEXT, Upstream

WORKERS = 2
upstream = Upstream()
home = place()
LISTENING = f"""\
[server]
workers = {WORKERS}
[[providers]]
name = "openai"
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "{KEY}"
"""
SECRET = 'sk-ant-api03-QW9kZ2UxMjM0NTY3ODkwYWJjZGVm'


def command(*words):
    return run("token", *words, "--socket", daemon.socket, cwd=home, env=daemon.env)


def create(name, *words):
    made = command("create", name, *words)
    check(made.returncode == 0 and made.stdout.startswith(b"mns_") and made.stdout.count(b"\n") == 1,
          f"'token create {name}' prints a token, alone", made.stdout + made.stderr)
    check(made.stdout.strip() not in made.stderr, "and explains it beside that", made.stderr)
    return made.stdout.decode().strip()


def client(token):
    return openai.OpenAI(base_url=f"http://localhost:{daemon.port}/v1", api_key=token, max_retries=0)


def chat(sdk, model="one"):
    """The answer's text, or the refusal's status and sentence."""
    try:
        return sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}]).choices[0].message.content
    except openai.APIStatusError as error:
        return error.status_code, error.body["message"] if isinstance(error.body, dict) else str(error.body)


def refused(answer, words, sentence, status=401):
    return check(isinstance(answer, tuple) and answer[0] == status and words in answer[1], sentence, answer)


def first_token():
    """menshen starts by its Unix socket alone; the first token is enough to listen from the next start on."""
    token = create("ci", "--provider", "openai", "--note", "the build")
    check(not stat.S_IMODE(os.stat(f"{home}/state/menshen/access.db").st_mode) & 0o077, "access.db is private")
    daemon.kill()
    daemon.port = free_port()
    write(daemon.config, f'listen = [":{daemon.port}"]\n' + LISTENING)
    daemon.start()
    equal(chat(client(token)), TEXT, "after kill -9 the token is there, and without one in [auth] menshen listens")
    checked = run("config", "check", daemon.config, cwd=home, env=daemon.env)
    equal(checked.returncode, 0, "'config check' knows of it too")
    return token


def revocation(token):
    sdks = [client(token) for _ in range(8)]
    equal({chat(sdk) for sdk in sdks}, {TEXT}, "eight clients of two workers keep their connections")
    kept = Caller(("127.0.0.1", daemon.port))
    fields = {**JSON, "Authorization": f"Bearer {token}"}
    kept.request("POST", "/v1/chat/completions", CHAT, fields)
    kept.getresponse().read()
    local = kept.sock.getsockname()
    equal(command("revoke", "ci").returncode, 0, "'token revoke' is done")
    kept.request("POST", "/v1/chat/completions", CHAT, fields)
    same = kept.sock.getsockname() == local
    answer = kept.getresponse()
    equal((answer.status, same), (401, True), "the next request on the same connection is refused")
    check(b"'ci' was revoked" in answer.read(), "with the reason")
    kept.close()
    for sdk in sdks:
        if not refused(chat(sdk), "was revoked", "so is that of each client"):
            break


def messages():
    token = create("typo")
    slip = token[:10] + ("x" if token[10] != "x" else "y") + token[11:]
    refused(chat(client(slip)), "misspelt", "a slip of the hand is told")
    refused(chat(client("not-a-token")), "is not known", "another text is not known")
    refused(chat(client(SECRET)), "looks like a real key of Anthropic", "a provider's key is told from a token")
    equal(ask(daemon.socket, fields={**JSON, "x-api-key": SECRET}).status, 200, "on the Unix socket it is ignored")
    equal(ask(daemon.socket, fields={**JSON, "x-api-key": slip}).status, 401, "but not what is of menshen's form")
    equal(command("edit", "typo", "--expires", "2h").returncode, 0, "a token is made to expire")
    equal(chat(client(token)), TEXT, "it counts until then")
    with sqlite3.connect(f"{home}/state/menshen/access.db") as file:
        file.execute("UPDATE tokens SET expires = 1000000000 WHERE name = 'typo'")
    command("edit", "typo", "--note", "read again")
    refused(chat(client(token)), "has expired", "and then says so")
    stray = command("create", "typo")
    check(stray.returncode == 1 and b"already" in stray.stderr, "a name is given once", stray.stderr)


def rotation():
    old = create("team")
    new = command("rotate", "team", "--grace", "1h").stdout.decode().strip()
    equal((chat(client(old)), chat(client(new))), (TEXT, TEXT), "within its grace the old one counts too")
    last = command("rotate", "team").stdout.decode().strip()
    refused(chat(client(old)), "replaced by a new one", "without it, no more")
    refused(chat(client(new)), "replaced by a new one", "nor the one between")
    equal(chat(client(last)), TEXT, "the last one does")


def streams():
    token = create("stream")
    words = lambda: client(token).chat.completions.create(model="long", stream=True, messages=[{"role": "user", "content": "hi"}])
    running = [words() for _ in range(4)]
    for stream in running:
        next(iter(stream))
    equal(command("revoke", "stream", "--now").returncode, 0, "'revoke --now' is done")
    for stream in running:
        try:
            count = sum(1 for _ in stream)
            cut = f"{count} more events"
        except Exception as error:
            cut = isinstance(error, Exception)
        check(cut is True, "a stream of that token is cut", cut)


def kills():
    for index in range(5):
        token = create(f"kill{index}")
        daemon.kill()
        daemon.start()
        equal(chat(client(token)), TEXT, "a token that was printed is there after kill -9")
    equal(command("revoke", "kill0").returncode, 0, "one is revoked")
    daemon.kill()
    daemon.start()
    listed = json.loads(command("list", "--all", "--json").stdout)["tokens"]
    equal({each["name"]: each["state"] for each in listed if each["name"].startswith("kill")},
          {f"kill{index}": "revoked" if index == 0 else "valid" for index in range(5)}, "and so is its revocation")


def recorded():
    with sqlite3.connect(f"file:{home}/state/menshen/access.db?mode=ro", uri=True) as file:
        acts = file.execute("SELECT act, target, uid, outcome FROM admin").fetchall()
    user = NOBODY if IS_ROOT else os.getuid()
    check(("token create", "ci", user, "done") in acts and ("token revoke", "ci", user, "done") in acts,
          "each act stands in the table admin, with who did it", acts)
    check(any(act[1] == "typo" and act[3].startswith("refused") for act in acts), "one that was refused too", acts)
    daemon.stop()
    for folder, _, names in os.walk(f"{home}/state"):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                text = file.read()
            check(b"QW9kZ2Ux" not in text and b"mns_" not in text, f"{name} holds no part of what was shown")
    check("QW9kZ2Ux" not in daemon.stderr() and "mns_" not in daemon.stderr(), "nor does the log")


daemon = Daemon(home, LISTENING)
token = first_token()
revocation(token)
messages()
rotation()
streams()
kills()
recorded()
done()
