# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""menshen doctor: with nothing, with a menshen that runs, one that fails, and one that is gone."""

import json
import os
import socket
import subprocess

from harness import (BINARY, KEY, PATIENCE, TOKEN, Daemon, ask, check, done, environment, equal, free_port, identity, place, wait, write)
from upstream import Upstream

upstream = Upstream()
home = place()


def doctor(*arguments, code, env=None):
    """Its lines and, of its JSON, the checks."""
    text, data = (subprocess.run([BINARY, "doctor", *arguments, *more], cwd=home, env=env or environment(home), capture_output=True,
                                 timeout=PATIENCE, **identity()) for more in ([], ["--json"]))
    equal((text.returncode, data.returncode, text.stderr), (code, code, b""), f"doctor {' '.join(arguments)} ends with {code}")
    found = json.loads(data.stdout)
    equal(sum(found[state] for state in ("ok", "warn", "fail")), len(found["checks"]), "and counts its checks")
    return text.stdout.decode(), found["checks"]


def has(checks, subject, state, *words):
    hits = [each for each in checks if each["subject"] == subject and each["state"] == state
            and all(word in f"{each['text']} {each['fix']}" for word in words)]
    check(hits, f"{subject} is {state}: {', '.join(words)}", checks)


text, checks = doctor(code=1)
has(checks, "Configuration", "fail", "there is none", "menshen config init")
has(checks, "Socket", "fail", "nobody listens", "menshen.socket")
check(os.listdir(f"{home}/state") == [] if os.path.exists(f"{home}/state") else True, "nothing was made")

port = free_port()
write(f"{home}/none.key", "sk-of-nobody\n", mode=0o640)
daemon = Daemon(home, f"""\
listen = "127.0.0.1:{port}"

[auth]
token = "{TOKEN}"

[limits]
instance = ["2requests/hour"]

[[providers]]
name = "near"
kind = "anthropic"
base_url = "{upstream.url}"
api_key = "{KEY}"
prices = "anthropic"

[[providers]]
name = "keyless"
base_url = "{upstream.url}/v1"
api_key_file = "{home}/none.key"
""")
usual = ("--config", daemon.config, "--socket", daemon.socket)
before = len(upstream.calls)
text, checks = doctor(*usual, code=1)
has(checks, "Socket", "ok", daemon.socket, "0600", str(daemon.pid))
has(checks, "keyless", "fail", "chmod 600", "menshen key set keyless")
has(checks, "TCP", "ok", f"127.0.0.1:{port}", "menshen's own")
has(checks, "Database", "ok", daemon.database, "backlog 0")
equal(len(upstream.calls), before, "no provider is asked")
check(KEY not in text and TOKEN not in text and "sk-of-nobody" not in text, "no key and no token is shown")

answer = ask(daemon.socket, "/near/v1/messages", json.dumps({"model": "claude-of-nowhere", "messages": [], "max_tokens": 5}).encode())
daemon.row(answer.id)
text, checks = doctor(*usual, "--online", code=1)
has(checks, "Prices", "warn", "claude-of-nowhere (1 request)", "menshen prices set claude-of-nowhere")
has(checks, "Budgets", "warn", "100% of 2 requests an hour")
has(checks, "near", "warn", "menshen did not ask it", "menshen show")
check("its key works: 200" in text, "with --online a provider is asked")
equal(len(upstream.calls), before + 2, "and a budget that is spent holds for that as well")

os.chmod(f"{home}/none.key", 0o600)
daemon.kill()
os.unlink(daemon.socket)
with socket.create_server(("127.0.0.1", port)):
    text, checks = doctor(*usual, code=1)
    has(checks, "TCP", "fail", f"127.0.0.1:{port}", "ss -ltnp")
    has(checks, "Socket", "fail", "nobody listens", f"menshen serve --socket {daemon.socket}")
    has(checks, "Keys", "ok", "1 in the configuration", "1 in a file, mode 0600")
    has(checks, "Database", "ok", daemon.database)
done()
