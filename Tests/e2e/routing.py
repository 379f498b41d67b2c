# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Several providers, and the cache, under the real SDKs: what fails over is not seen by a program, and what is cached is."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import openai

import clients
from clients import WAYS
from harness import TOKEN, Daemon, check, done, equal, free_port, place, run, wait
from upstream import TEXT, Upstream

PROMPT = [{"role": "user", "content": "Good morning!"}]


class Faulty(BaseHTTPRequestHandler):
    """A provider that fails in the way its `fault` says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.keys.append(self.headers.get("Authorization") or self.headers.get("x-api-key"))
        fault = self.server.fault
        if fault == "reset":
            self.close_connection = True
        elif fault == "overloaded event":
            start = {"type": "message_start", "message": {"id": "msg_0", "type": "message", "role": "assistant", "content": [],
                                                          "model": "m", "usage": {"input_tokens": 1, "output_tokens": 0}}}
            error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            self.body("".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in (start, error)),
                      200, "text/event-stream")
        else:
            fields = {"Retry-After": "60"} if fault == 429 else {}
            self.body(json.dumps({"error": {"message": f"fault {fault}", "type": "x", "code": "faulty"}}), fault, **fields)

    def body(self, text, status, kind="application/json", **fields):
        self.send_response(status)
        fields |= {"Content-Type": kind, "Content-Length": str(len(text)), "x-fault": "yes"}
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text.encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


class FaultyServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Faulty)
        self.fault, self.keys = 503, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


def configuration(first, second, more=""):
    """The first of a kind is asked first nearly always, and for certain while the other is left alone."""
    return f"""\
[auth]
token = "{TOKEN}"
[failover]
breaker_failures = 0
{more}
[[providers]]
name = "first"
kind = "openai"
base_url = "{first}/v1"
api_keys = ["sk-one-11111111", "sk-two-22222222"]
weight = 1000000
[[providers]]
name = "second"
kind = "openai"
base_url = "{second}/v1"
api_key = "sk-second-333333"
model = "one"
[[providers]]
name = "claude-first"
kind = "anthropic"
base_url = "{first}"
api_key = "sk-ant-first-4444"
weight = 1000000
[[providers]]
name = "claude-second"
kind = "anthropic"
base_url = "{second}"
api_key = "sk-ant-second-555"
"""


good, bad = Upstream(), FaultyServer()


def failover(way):
    with_path = place()
    daemon = Daemon(with_path, configuration(bad.url, good.url), tcp=True)
    client = clients.over(daemon, openai, "OpenAI", way, max_retries=0)
    for fault in (500, 503, 529, "reset"):
        bad.fault = fault
        answer = client.chat.completions.create(model="whatever", messages=PROMPT)
        equal(answer.choices[0].message.content, TEXT, f"{way}: {fault} at the first provider is not seen by the program")
        text = "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(
            model="whatever", messages=PROMPT, stream=True) if chunk.choices)
        equal(text, TEXT, f"{way}: nor in a stream ({fault})")
    equal(good.calls[-1].field("Authorization"), "Bearer sk-second-333333", f"{way}: the second provider saw its own key")
    equal(json.loads(good.calls[-1].body)["model"], "one", f"{way}: and its own name for the model")

    bad.fault = 400
    try:
        client.chat.completions.create(model="whatever", messages=PROMPT)
        check(False, f"{way}: a 400 is not failed over")
    except openai.BadRequestError as error:
        equal(error.code, "faulty", f"{way}: a 400 is the first provider's own answer")

    bad.fault, bad.keys = 429, []
    answer = client.chat.completions.create(model="whatever", messages=PROMPT)
    equal(answer.choices[0].message.content, TEXT, f"{way}: a limited provider is stepped over")
    equal(bad.keys, ["Bearer sk-one-11111111", "Bearer sk-two-22222222"], f"{way}: after both of its keys were tried")
    client.chat.completions.create(model="whatever", messages=PROMPT)
    equal(len(bad.keys), 2, f"{way}: and it is left alone, as its Retry-After asks")

    bad.fault = "overloaded event"
    claude = clients.over(daemon, anthropic, "Anthropic", way, version="", max_retries=0)
    with claude.messages.stream(model="m", max_tokens=9, messages=PROMPT) as stream:
        equal("".join(stream.text_stream), TEXT, f"{way}: an error event at the head of a stream is not seen by the program")
        equal(stream.get_final_message().id, "msg_1", f"{way}: nothing of the first provider's stream is")

    def tell():
        rows = daemon.rows("SELECT group_concat(reason) AS reasons FROM (SELECT request_id, reason FROM attempts ORDER BY request_id, n)"
                           " GROUP BY request_id ORDER BY request_id")
        return {row["reasons"] for row in rows}

    expected = ("server_error,ok", "reset,ok", "rate_limited,rate_limited,ok", "error_event,ok", "ok")
    # The last end may be written a few milliseconds after its answer.
    wait(lambda: set(expected) <= tell(), 3)
    told = tell()
    for reasons in expected:
        check(reasons in told, f"{way}: attempts tell {reasons}", told)
    status = run("status", "--socket", daemon.socket)
    check(b"2 of 2 keys limited for whatever" in status.stdout, f"{way}: status tells of the limited keys", status.stdout + status.stderr)
    daemon.stop()


def all_fail():
    daemon = Daemon(place(), configuration(bad.url, f"http://127.0.0.1:{free_port()}"), tcp=True)
    client = clients.over(daemon, openai, "OpenAI", "TCP", max_retries=0)
    bad.fault = 503
    try:
        client.chat.completions.create(model="m", messages=PROMPT)
        check(False, "all fail: the program hears of it")
    except openai.APIStatusError as error:
        equal((error.status_code, error.response.headers.get("x-fault"), error.response.json()["error"]["message"]),
              (503, "yes", "fault 503"), "all fail: the last answer a provider gave is passed on, whole")
    daemon.stop()


def cache(way):
    home = place()
    daemon = Daemon(home, configuration(good.url, good.url, '[cache]\nenable = true\nmax_age = "1h"'), tcp=True)
    seen = []
    client = clients.over(daemon, openai, "OpenAI", way, hook=lambda response: seen.append(response.headers["x-cache"]))
    before = len(good.calls)

    def plain(**more):
        return client.chat.completions.create(model="one", messages=PROMPT, **more)

    first, second = plain(), plain(user="somebody")
    equal((second.choices[0].message.content, second.usage.total_tokens), (TEXT, 9), f"{way}: the SDK reads a stored answer")
    plain(extra_headers={"Cache-Control": "no-cache"})
    plain(extra_headers={"Cache-Control": "no-store"})
    plain(temperature=0.5)
    equal(seen, ["MISS", "HIT", "MISS", "BYPASS", "MISS"], f"{way}: X-Cache tells hit, miss and bypass")
    streams = [[chunk.model_dump() for chunk in plain(stream=True)] for _ in range(2)]
    equal(streams[0], streams[1], f"{way}: a stream is given again, chunk by chunk")
    claude = clients.over(daemon, anthropic, "Anthropic", way, version="", hook=lambda response: seen.append(response.headers["x-cache"]))
    for _ in range(2):
        with claude.messages.stream(model="m", max_tokens=9, messages=PROMPT) as stream:
            equal("".join(stream.text_stream), TEXT, f"{way}: so is one of Anthropic's")
    equal(seen[5:], ["MISS", "HIT", "MISS", "HIT"], f"{way}: the second time from the cache")
    equal(len(good.calls) - before, 6, f"{way}: the provider was asked for the misses alone")
    # The last end may be written a few milliseconds after its answer.
    wait(lambda: len(daemon.rows("SELECT 1 FROM requests WHERE cache = 'hit'")) == 3)
    rows = daemon.rows("SELECT cache, saved_output, usage_state, input_total FROM requests WHERE cache = 'hit' ORDER BY id")
    check(all(row["usage_state"] == "none" and row["input_total"] is None for row in rows), f"{way}: a hit costs nothing in its record", rows)
    equal([row["saved_output"] for row in rows], [6, 6, 6], f"{way}: and tells what it saved")
    daemon.stop()
    again = Daemon(home, configuration(good.url, good.url, '[cache]\nenable = true\nmax_age = "1h"'), tcp=True)
    client = clients.over(again, openai, "OpenAI", way, hook=lambda response: seen.append(response.headers["x-cache"]))
    plain()
    equal(seen[-1], "HIT", f"{way}: the answers are there after a restart")
    again.stop()


for way in WAYS:
    failover(way)
    cache(way)
all_fail()
done()
