# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""A marked key is driven down every path and then searched for: it may be at the provider and nowhere else."""

import glob
import json
import os
import resource
import signal
import subprocess

from harness import (CHAT, IS_ROOT, JSON, Caller, Daemon, check, done, environment, equal, free_port, identity, own, place,
                     run, skipped, spawn, wait, write)
from namespace import Journal, enter, mount
from upstream import Upstream

# What is searched for is the middle, so that a part of the key counts as well.
MARK = "c4nary-7f3e9d10b2"
KEY = f"sk-{MARK}-end"
ROTATED = f"sk-new-{MARK}-end"
CALLERS = "callers-own-credential-6620"
TOKEN = "door-token-1d2c"

journal = None


def with_journal():
    global journal
    mount("/run", "1m")
    journal = Journal()


enter(with_journal, "the canary's journal")
upstream = Upstream()
home = place()
key_file = write(f"{home}/key", KEY + "\n")
# Searched for the mark at the end.
evidence = {}

CONFIGURATION = f"""\
verbose = true
[auth]
user = "admin"
password = "page"
token = "{TOKEN}"
[[providers]]
name = "local"
base_url = "{upstream.url}/v1"
kind = "openai"
api_key_file = "{key_file}"
[[providers]]
name = "anthropic"
base_url = "{upstream.url}"
kind = "anthropic"
api_key_file = "{key_file}"
[[providers]]
name = "refused"
base_url = "http://127.0.0.1:{free_port()}/v1"
kind = "openai"
api_key_file = "{key_file}"
[[providers]]
name = "plain"
base_url = "https://127.0.0.1:{upstream.port}/v1"
kind = "openai"
api_key_file = "{key_file}"
[upstream]
connect_timeout = "400ms"
first_byte_timeout = "300ms"
[logging]
log_request_body = true
log_response_body = true
max_body_bytes = "1KiB"
"""


def allow_core():
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


daemon = Daemon(home, CONFIGURATION, tcp=True, prepare=allow_core)


def chat(model, **more):
    return json.dumps({"model": model, "messages": [], **more}).encode()


def keep(name, answer):
    evidence[f"answer: {name}"] = answer.everything()
    return answer


def drive(unix):
    way = "Unix socket" if unix else "TCP"
    fields = {**JSON, "Cookie": CALLERS, "api-key": CALLERS, "Authorization": f"Bearer {CALLERS if unix else TOKEN}"}
    cases = [
        ("success", "/local/v1/chat/completions", CHAT, 200), ("stream", "/local/v1/chat/completions", chat("one", stream=True), 200),
        ("messages", "/anthropic/v1/messages", chat("one"), 200), ("the provider's 401", "/local/v1/chat/completions", chat("bad-key"), 401),
        ("timeout", "/local/v1/chat/completions", chat("hang"), 504),
        ("timeout in Anthropic's shape", "/anthropic/v1/messages", chat("hang"), 504),
        ("provider refuses", "/refused/v1/chat/completions", CHAT, 502),
        ("provider without TLS", "/plain/v1/chat/completions", CHAT, 502),
        ("unknown path", "/local/v1/no/such/path", CHAT, 200),
    ]
    for name, path, body, status in cases:
        answer = keep(f"{name} over {way}", daemon.ask(path, body, fields, unix))
        equal(answer.status, status, f"{name} over {way}")
    # A caller that leaves in the middle of a stream.
    caller = Caller(daemon.socket if unix else ("127.0.0.1", daemon.port))
    caller.request("POST", "/local/v1/chat/completions", chat("long", stream=True), fields)
    response = caller.getresponse()
    evidence[f"answer: begun over {way}"] = response.read(64) + str(response.headers).encode()
    response.close()
    caller.close()
    check(upstream.calls[-1].left.wait(5), f"a caller that leaves over {way} takes the provider's work with it")
    for path in ("/", "/_menshen/status", "/_menshen/health", "/_menshen/none", "/_menshen/ui/", "/_menshen/ui/log",
                 "/_menshen/ui/providers", "/_menshen/ui/system", "/_menshen/ui/tokens"):
        keep(f"{path} over {way}", daemon.ask(path, None, {"Authorization": f"Bearer {TOKEN}"}, unix, "GET"))
    if not unix:
        keep("no token", daemon.ask(unix=False))
    keep(f"nonsense over {way}", daemon.ask("/v1/../x", CHAT, fields, unix))


def bodies():
    """A prompt that holds the key is forwarded as it is and stored without it."""
    secret = chat("one", user=KEY)
    daemon.ask("/local/v1/chat/completions", body=secret)
    equal(upstream.calls[-1].body, secret, "a prompt that holds the key arrives unchanged")
    answer = daemon.ask("/local/v1/chat/completions", body=chat("echo", user=KEY))
    check(KEY.encode() in answer.body, "an answer that quotes it is relayed unchanged")
    row = daemon.row(answer.id)
    stored = [bytes(row["bytes"]) for row in daemon.rows("SELECT bytes FROM bodies WHERE request_id = ?", row["id"])]
    check(len(stored) == 2 and all(b'"user": "***' in body and b"*-end" not in body for body in stored),
          "both are stored with the key masked", stored)
    # max_body_bytes cuts the key in the middle.
    padding = chat("one", user="").index(b'""') + 1
    body = chat("one", user="")[:padding] + b"x" * (1024 - padding - len(KEY) + 2) + KEY.encode() + b'"}'
    answer = daemon.ask("/local/v1/chat/completions", body=body)
    row = daemon.row(answer.id)
    stored = daemon.rows("SELECT bytes FROM bodies WHERE kind = 'request' AND request_id = ?", row["id"])
    tail = bytes(stored[0]["bytes"])[-len(KEY) - 4:]
    check(MARK[:8].encode() not in tail, "a key that the size limit cuts in two leaves no half", tail)


def reloads():
    write(daemon.config, CONFIGURATION + f'[[providers]]\nname = "inline"\nbase_url = "{upstream.url}"\napi_key = "{KEY}" oops\n')
    daemon.signal(signal.SIGHUP)
    check(wait(lambda: "oops" in daemon.stderr() or "config.toml:" in daemon.stderr()), "a broken reload says where", daemon.stderr()[-400:])
    write(daemon.config, CONFIGURATION)
    daemon.signal(signal.SIGHUP)
    write(key_file, ROTATED + "\n")
    answer = keep("after rotation", daemon.ask("/local/v1/chat/completions"))
    equal((answer.status, upstream.calls[-1].field("Authorization")), (200, f"Bearer {ROTATED}"), "a rotated key is used at once")
    os.chmod(key_file, 0o644)
    with open(key_file, "a") as file:
        file.write("\n")
    keep("exposed key file", daemon.ask("/local/v1/chat/completions"))
    write(key_file, KEY + "\n")


BROKEN = {
    "a syntax error behind the key": 'api_key = "{key}" oops',
    "a string that does not end": 'api_key = "{key}',
    "a bare value": "api_key = {key}",
    "a wrong type": 'api_key = ["{key}"]',
    "an unknown key": 'api_keey = "{key}"',
    "a key given twice": 'api_key = "{key}"\napi_key = "{key}"',
    "two sources": 'api_key = "{key}"\napi_key_file = "/none"',
    "a header that is no text": 'headers = {{ "x-key" = ["{key}"] }}',
    "an escape that is none": 'api_key = "\\q{key}"',
    "as a table": '[providers.api_key]\n"{key}" = 1',
    "a control character": 'api_key = "{key}\\n"',
}


def broken_configurations():
    env = environment(home)
    for name, line in BROKEN.items():
        path = write(f"{home}/broken.toml", f'[[providers]]\nbase_url = "{upstream.url}/v1"\n' + line.format(key=KEY) + "\n")
        for command in (["config", "check", path], ["config", "show", path], ["serve", "--config", path, "--socket", f"{home}/run/b.sock"]):
            out = run(*command, env=env)
            evidence[f"{command[0]} {command[1]}: {name}"] = out.stdout + out.stderr
            if command[1] == "check":
                check(out.returncode == 78, f"refused: {name}", out)
    path = write(f"{home}/whole.toml", f"""\
[auth]
token = "{MARK}-token"
password = "{MARK}-password"
[[providers]]
base_url = "http://{MARK}:{MARK}@127.0.0.1:1/v1"
[[providers]]
name = "second"
base_url = "http://127.0.0.1:1/v1?key={MARK}"
[[providers]]
name = "third"
base_url = "http://127.0.0.1:1/v1"
api_key = "{KEY}"
headers = {{ "x-second-key" = "{KEY}" }}
proxy = "http://user:{KEY}@127.0.0.1:1"
""")
    for verb in ("check", "show"):
        out = run("config", verb, path, env=env)
        evidence[f"config {verb}: keys wherever one can stand"] = out.stdout + out.stderr
    write(path, f'[[providers]]\nbase_url = "http://127.0.0.1:1/v1"\napi_key = "{KEY}"\nheaders = {{ "x-second" = "{KEY}" }}\nproxy = "http://user:{KEY}@127.0.0.1:1"\n')
    out = run("config", "show", path, env=env)
    check(out.returncode == 0 and out.stdout.count(b'"***"') >= 2, "config show masks", out)
    evidence["config show: a whole one"] = out.stdout + out.stderr
    os.unlink(path)
    os.unlink(f"{home}/broken.toml")


def process():
    for name in ("environ", "cmdline"):
        if name == "environ" and not IS_ROOT:
            continue
        with open(f"/proc/{daemon.pid}/{name}", "rb") as file:
            evidence[f"/proc/PID/{name}"] = file.read()
    denied(daemon.pid, "with api_key_file")


def denied(pid, what):
    """Another process of the same user asks for what the kernel guards by PR_SET_DUMPABLE."""
    bystander = spawn(["sleep", "60"], home, environment(home), subprocess.DEVNULL)
    for name in ("environ", "maps", "fd", "exe"):
        reader = "ls -l" if name in ("fd", "exe") else "cat"

        def read(pid):
            return subprocess.run(["sh", "-c", f"{reader} /proc/{pid}/{name}"], capture_output=True, cwd="/", **identity())

        own_kind, ours = read(bystander.pid), read(pid)
        evidence[f"/proc/PID/{name} as the same user, {what}"] = ours.stdout
        check(own_kind.returncode == 0 and ours.returncode != 0,
              f"/proc/PID/{name} is closed to other processes of the user, {what}", (own_kind.stderr, ours))
    bystander.kill()
    bystander.wait()


def key_in_the_environment():
    second = place()
    other = Daemon(second, f"""\
[[providers]]
base_url = "{upstream.url}/v1"
api_key = "${{CANARY}}"
""", env={"CANARY": KEY})
    equal(keep("key from the environment", other.ask()).status, 200, "a key from the environment works")
    denied(other.pid, "with the key in its environment")
    equal(other.stop(), 0, "SIGTERM ends it with 0")
    collect(second)


def crash():
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    with open("/proc/sys/kernel/core_pattern") as file:
        pattern = file.read().strip()
    if hard == 0 or "/" in pattern or pattern.startswith("|"):
        skipped("core files", f"core_pattern is '{pattern}', the hard limit {hard}")
    else:
        # Under the same circumstances another program leaves one.
        os.mkdir(f"{home}/other")
        own(f"{home}/other")
        other = spawn(["sleep", "60"], f"{home}/other", environment(home), subprocess.DEVNULL, allow_core)
        wait(lambda: open(f"/proc/{other.pid}/comm").read() == "sleep\n")
        other.send_signal(signal.SIGABRT)
        other.wait()
        control = glob.glob(f"{home}/other/core*")
        if not control:
            skipped("core files", "no program leaves one here")
        for path in control:
            os.unlink(path)
    daemon.signal(signal.SIGABRT)
    equal(daemon.process.wait(10), -signal.SIGABRT, "SIGABRT ends it")
    equal(glob.glob(f"{home}/core*") + glob.glob(f"{home}/**/core*", recursive=True), [], "a crash leaves no core file")


def collect(directory, without=()):
    for path in glob.glob(f"{directory}/**", recursive=True, include_hidden=True):
        if os.path.isfile(path) and path not in without:
            with open(path, "rb") as file:
                evidence[os.path.relpath(path, directory) + (" (second)" if directory != home else "")] = file.read()


def search():
    if journal:
        evidence["journal"] = json.dumps(journal.entries).encode()
        states = {entry.get("MENSHEN_END_STATE") for entry in journal.entries}
        check({"complete", "timeout", "upstream_error"} <= states, "the journal has requests of every kind", states)
    names = " ".join(evidence)
    check(b"Request " in evidence["stderr"], "stderr has debug lines")
    for name in ("menshen.db", "menshen.db-wal", "menshen.db-shm", "menshen.db-intents", "stderr"):
        check(name in names, f"{name} is among the {len(evidence)} things searched")
    hits = {name: content[max(0, content.index(MARK.encode()) - 60):][:120] for name, content in evidence.items() if MARK.encode() in content}
    equal(hits, {}, "the key is in none of them")
    hits = [name for name, content in evidence.items() if CALLERS.encode() in content]
    equal(hits, [], "nor is a credential that callers sent")
    seen = [call for call in upstream.calls if MARK in (call.field("Authorization") or "") + (call.field("x-api-key") or "")]
    check(len(seen) > 20, f"the provider saw it {len(seen)} times")
    equal([call.path for call in upstream.calls if CALLERS.encode() in call.text() or TOKEN.encode() in call.text()], [],
          "the provider saw nothing that callers carry")


for unix in (True, False):
    drive(unix)
bodies()
reloads()
broken_configurations()
process()
crash()
collect(home, without=(key_file,))
daemon.start()
equal(daemon.ask("/_menshen/health", None, {}, method="GET").status, 200, "it starts again after the crash")
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
collect(home, without=(key_file,))
key_in_the_environment()
search()
done()
