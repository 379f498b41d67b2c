# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The programs of contrib/examples that need no package, as they are; chat.py is in the stage sdks."""

import glob
import json
import os
import shutil
import subprocess

from harness import *
from upstream import TEXT, Upstream

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/examples")
upstream = Upstream()
home = place()


def run_example(program, file, **env):
    return subprocess.run([program, file], capture_output=True, timeout=PATIENCE, cwd="/",
                          env={"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8", "MODEL": "one", **env})


def content(text):
    """The words of an SSE answer."""
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith(b"data: {")]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events)


def answered(out, words, what):
    equal((out.returncode, out.stderr, words), (0, b"", TEXT), f"{what}: the answer, and nothing else")
    equal((len(upstream.calls), upstream.calls[-1].field("Authorization")), (1, f"Bearer {KEY}"), f"{what}: the provider saw the real key")
    upstream.calls.clear()


def shell():
    file = f"{EXAMPLES}/chat.sh"
    out = run_example("sh", file, XDG_RUNTIME_DIR=f"{home}/run")
    answered(out, content(out.stdout), "chat.sh at the socket's own place")
    out = run_example("sh", file, MENSHEN_SOCKET=daemon.socket)
    answered(out, content(out.stdout), "chat.sh at MENSHEN_SOCKET")
    # The port is all that differs from the file.
    with open(file) as original:
        text = original.read()
    equal(text.count("localhost:8080"), 1, "chat.sh names port 8080 once")
    write(f"{home}/chat.sh", text.replace("localhost:8080", f"localhost:{daemon.port}"))
    out = run_example("sh", f"{home}/chat.sh", PROXY_TOKEN=TOKEN)
    answered(out, content(out.stdout), "chat.sh over TCP with PROXY_TOKEN")
    out = run_example("sh", f"{home}/chat.sh", PROXY_TOKEN="wrong")
    check(b'"error"' in out.stdout, "with a wrong one it shows the refusal", out)
    equal(upstream.calls, [], "and the provider sees nothing")


def node():
    program = shutil.which("node")
    if not program:
        return skipped("chat.mjs", "there is no node")
    file = f"{EXAMPLES}/chat.mjs"
    out = run_example(program, file, XDG_RUNTIME_DIR=f"{home}/run")
    answered(out, out.stdout.decode().removesuffix("\n"), "chat.mjs at the socket's own place")
    out = run_example(program, file, MENSHEN_SOCKET=daemon.socket)
    answered(out, out.stdout.decode().removesuffix("\n"), "chat.mjs at MENSHEN_SOCKET")
    out = run_example(program, file, MENSHEN_SOCKET=daemon.socket, MODEL="bad-key")
    check(out.returncode == 0 and b"Incorrect API key" in out.stdout, "chat.mjs shows what the provider refuses", out)
    upstream.calls.clear()
    out = run_example(program, file, MENSHEN_SOCKET=daemon.socket, MODEL="broken")
    check(b"broken off" in out.stderr, "chat.mjs tells an answer that breaks off from a whole one", out)
    upstream.calls.clear()
    out = run_example(program, file, MENSHEN_SOCKET=f"{home}/none")
    check(b"ENOENT" in out.stderr and not out.stdout, "chat.mjs says so without menshen", out)


equal(sorted(map(os.path.basename, glob.glob(f"{EXAMPLES}/chat.*"))), ["chat.mjs", "chat.py", "chat.sh"], "every example has its test")
daemon = Daemon(home, f"""\
[auth]
token = "{TOKEN}"
[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "{KEY}"
""", tcp=True, path=f"{home}/run/menshen/menshen.sock")
shell()
node()
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
done()
