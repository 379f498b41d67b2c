# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Spans and log records over OTLP: read by the official package, compared with the database row by row, and sent to receivers that
are dead, slow or lying."""

import json
import os
import time

from harness import CHAT, JSON, KEY, Daemon, check, done, equal, free_port, number, place, run, wait
from otlp import Receiver, attributes, take
from upstream import Upstream

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRET = "otlp-secret-77aa"
FAST = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
SERVER, CLIENT = 2, 3
# Attributes of the server's span and the columns that they must equal; a column that is NULL has no attribute.
COLUMNS = {
    "http.request.method": "method", "url.path": "path", "menshen.operation": "operation", "menshen.provider": "provider",
    "http.response.status_code": "status", "menshen.end_state": "end_state", "menshen.problem": "problem",
    "menshen.attempts": "attempts", "menshen.ttfb_us": "ttfb_us", "menshen.total_us": "total_us",
    "menshen.bytes_in": "bytes_in", "menshen.bytes_out": "bytes_out", "menshen.cost": "cost",
    "menshen.cost_state": "cost_state", "menshen.price_version": "price_version", "menshen.usage_state": "usage_state",
    "menshen.caller_uid": "caller_uid", "menshen.caller_pid": "caller_pid", "menshen.caller_exe": "caller_exe",
    "menshen.caller_unit": "caller_unit", "menshen.token_name": "token_name", "menshen.rule": "rule",
    "menshen.client": "client", "menshen.agent": "agent", "gen_ai.conversation.id": "session", "menshen.cache": "cache",
    "menshen.end_user": "end_user",
}
USAGE = {
    "gen_ai.usage.input_tokens": "input_total", "gen_ai.usage.output_tokens": "output_total",
    "gen_ai.usage.cache_read.input_tokens": "cache_read", "gen_ai.usage.cache_creation.input_tokens": "cache_write",
    "gen_ai.usage.reasoning.output_tokens": "reasoning", "gen_ai.response.model": "answer_model",
}
upstream = Upstream()
nowhere = free_port()


def providers(dead=False):
    text = f'[[providers]]\nname = "works"\nkind = "openai"\nbase_url = "{upstream.url}/v1"\napi_key = "{KEY}"\nprices = "openai"\n'
    if dead:
        text += (f'[[providers]]\nname = "dead"\nkind = "openai"\nbase_url = "http://127.0.0.1:{nowhere}/v1"\n'
                 'api_key = "sk-other-key-1"\nweight = 1000000\n')
    return text


def named(item, names, row):
    """What differs between attributes and columns."""
    said = attributes(item)
    return {name: (said.get(name), row[column]) for name, column in names.items() if said.get(name) != row[column]}


def compare(receiver, daemon, ids, what):
    def complete():
        have = {attributes(record)["menshen.request.id"] for record in receiver.records()}
        return have >= set(ids)
    wait(complete)
    spans, records = receiver.spans(), receiver.records()
    differences = []
    for each in ids:
        row = daemon.row(each)
        own = [span for span in spans if attributes(span)["menshen.request.id"] == each]
        server = [span for span in own if span.kind == SERVER]
        clients = [span for span in own if span.kind == CLIENT]
        told = [record for record in records if attributes(record)["menshen.request.id"] == each]
        if len(server) != 1 or len(told) != 1 or len(clients) != row["attempts"]:
            differences.append((each, len(server), len(told), len(clients), row["attempts"]))
            continue
        server, record = server[0], told[0]
        differences += [named(server, COLUMNS, row), named(record, {**COLUMNS, **USAGE}, row)]
        begin = (number(each) >> 10) * 1000
        if (server.start_time_unix_nano, server.end_time_unix_nano) != (begin, begin + row["total_us"] * 1000):
            differences.append((each, "times"))
        if (record.trace_id, record.span_id) != (server.trace_id, server.span_id):
            differences.append((each, "the record's span"))
        tries = daemon.rows("SELECT * FROM attempts WHERE request_id = ? ORDER BY n", number(each))
        for span, attempt in zip(sorted(clients, key=lambda span: attributes(span)["menshen.attempt"]), tries):
            differences.append(named(span, {"menshen.provider": "provider", "menshen.reason": "reason",
                                            "http.response.status_code": "status"}, attempt))
            if span.parent_span_id != server.span_id or span.trace_id != server.trace_id:
                differences.append((each, "a try's parent"))
            answered = attempt["provider"] == row["provider"]
            differences.append(named(span, USAGE, row if answered else dict.fromkeys(USAGE.values())))
            if bool(span.status.code == 2) != (attempt["reason"] != "ok" or (attempt["status"] or 0) >= 400):
                differences.append((each, "a try's status", attempt))
    differences = [each for each in differences if each]
    check(not differences, f"each span and record says what the database says ({what})", differences)
    equal(receiver.faults, [], f"the official package reads all of it ({what})")


def traffic(daemon):
    """Requests of every kind; their ids."""
    body = lambda model, **more: json.dumps({"model": model, "messages": [], **more}).encode()
    parent = {**JSON, "traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
    asked = [
        daemon.ask(fields=parent), daemon.ask(body=body("one", stream=True)), daemon.ask(body=body("bad-key")),
        daemon.ask(body=body("one", user="anna")),
        daemon.ask("/v1/models", None, {}, method="GET"),
        daemon.ask("/v1/embeddings", body("one")), daemon.ask("/nothing/here", body("one")),
    ]
    return [answer.id for answer in asked]


def the_same_as_the_database(protocol, compression):
    receiver = Receiver()
    home = place()
    text = providers(dead=True) + f"""\
[telemetry]
endpoint = "{receiver.url}"
protocol = "{protocol}"
headers = {{ "x-otlp-key" = "{SECRET}" }}
"""
    variables = {**FAST, "OTEL_RESOURCE_ATTRIBUTES": "team=research", "OTEL_EXPORTER_OTLP_COMPRESSION": compression,
                 "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    daemon = Daemon(home, text, env=variables)
    ids = traffic(daemon)
    compare(receiver, daemon, ids, protocol)
    clients = [attributes(span) for span in receiver.spans() if span.kind == CLIENT]
    check({"connect", "ok"} <= {each["menshen.reason"] for each in clients},
          f"a provider that is not there has a span as well ({protocol})", clients)
    check(any(span.name == "chat one" and attributes(span).get("gen_ai.provider.name") == "openai"
              and attributes(span)["server.port"] == upstream.port for span in receiver.spans() if span.kind == CLIENT),
          f"a try at a model is named by the conventions ({protocol})")
    continued = [span for span in receiver.spans() if attributes(span)["menshen.request.id"] == ids[0]]
    server = next(span for span in continued if span.kind == SERVER)
    equal((server.trace_id.hex(), server.parent_span_id.hex(), server.trace_state), (TRACE, PARENT, "vendor=1"),
          f"the caller's trace is continued ({protocol})")
    others = {span.trace_id for span in receiver.spans() if span.trace_id.hex() != TRACE}
    check(len(others) >= 5 and all(any(each) for each in others), f"each other request is a trace of its own ({protocol})")
    equal([call.field("traceparent") for call in upstream.calls if call.field("traceparent")][-1], f"00-{TRACE}-{PARENT}-01",
          f"the header goes to the provider as it came ({protocol})")
    path, batch, fields, _ = receiver.batches[0]
    resource = {each.key: each.value.string_value for each in
                (batch.resource_spans if path == "/v1/traces" else batch.resource_logs)[0].resource.attributes}
    equal((resource.get("service.name"), resource.get("team"), fields.get("x-otlp-key")), ("menshen", "research", SECRET),
          f"resource and headers are as told ({protocol})")
    everything = b"".join(body for _, _, _, body in receiver.batches)
    check(b"Good" not in everything and KEY.encode() not in everything, f"no content and no key is sent ({protocol})")
    status = run("status", "--socket", daemon.socket, env=daemon.env).stdout.decode()
    check(f"traces to {receiver.url}/v1/traces" in status and SECRET not in status, "menshen status shows it", status)
    check(SECRET not in daemon.stderr(), f"the receiver's header is not in the log ({protocol})")
    equal(daemon.stop(), 0, f"menshen ends as ever ({protocol})")


def sampling_and_content():
    receiver = Receiver()
    home = place()
    daemon = Daemon(home, providers() + f"""\
[logging]
log_request_body = true

[telemetry]
endpoint = "{receiver.url}"
capture_content = true
""", env=FAST)
    quiet = daemon.ask(fields={**JSON, "traceparent": f"00-{TRACE}-{PARENT}-00"})
    loud = daemon.ask()
    wait(lambda: len(receiver.records()) >= 2)
    equal(receiver.faults, [], "the official package reads that too")
    spans = {attributes(span)["menshen.request.id"] for span in receiver.spans()}
    equal(spans, {loud.id}, "a caller without the sampled flag has no span")
    records = {attributes(record)["menshen.request.id"]: record for record in receiver.records()}
    equal((records[quiet.id].flags, records[quiet.id].trace_id.hex()), (0, TRACE), "its record is sent all the same")
    equal(attributes(records[loud.id]).get("menshen.request_body"), CHAT.decode(), "content is sent where it is asked for")
    equal(daemon.ask().status, 200, "and requests go on")
    last = daemon.ask().id
    equal(daemon.stop(), 0, "menshen ends as ever")
    check(any(attributes(record)["menshen.request.id"] == last for record in receiver.records()),
          "what has ended last is sent before the process ends")
    without = Daemon(place(), providers())
    without.ask()
    status = run("status", "--socket", without.socket, "--json", env=without.env).stdout
    equal(json.loads(status)["telemetry"], None, "without a receiver nothing is said of one")
    tasks = f"/proc/{without.pid}/task"
    names = []
    for each in os.listdir(tasks):
        with open(f"{tasks}/{each}/comm") as file:
            names.append(file.read().strip())
    check("telemetry" not in names, "and there is no thread for it", names)
    without.stop()


def misbehaving(what, behave, reason, requests=40, **variables):
    """Requests go on while the receiver does what it does, and what it did not take is counted and said."""
    receiver = Receiver(behave) if behave else None
    url = receiver.url if receiver else f"http://127.0.0.1:{nowhere}"
    daemon = Daemon(place(), providers(), env={**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": url, **variables})
    statuses, slowest = [], 0
    for _ in range(requests):
        begin = time.monotonic()
        statuses.append(daemon.ask().status)
        slowest = max(slowest, time.monotonic() - begin)
    check(set(statuses) == {200} and slowest < 3, f"{what}: requests go on", (set(statuses), slowest))
    if behave:
        wait(lambda: receiver.tries)
        if reason.startswith("wait: "):
            reason = reason[6:]
        else:
            wait(lambda: reason in daemon.stderr())
    begin = time.monotonic()
    code = daemon.stop()
    check(code == 0 and time.monotonic() - begin < 4, f"{what}: menshen ends in time", (code, time.monotonic() - begin))
    check(reason in daemon.stderr(), f"{what}: it is said", daemon.stderr()[-600:])
    return receiver, daemon


def hang(handler, raw):
    time.sleep(30)


def unready(handler, raw):
    """Takes each path at the second try."""
    seen = [path for _, path, _ in handler.server.tries].count(handler.path)
    if seen == 1:
        return handler.answer(503, Retry_After="1")
    take(handler, raw)


the_same_as_the_database("http/protobuf", "none")
the_same_as_the_database("http/json", "gzip")
sampling_and_content()
misbehaving("a dead receiver", None, "spans and log records did not reach their receiver")
misbehaving("a receiver that never answers", hang, "wait: did not reach their receiver")
misbehaving("a short queue and a receiver that never answers", hang, "were not sent to the receiver of telemetry",
            OTEL_BSP_MAX_QUEUE_SIZE="5", OTEL_EXPORTER_OTLP_TIMEOUT="500")
receiver, _ = misbehaving("a receiver that answers 500", lambda handler, raw: handler.answer(500), "answered 500")
equal(len({raw for _, _, raw in receiver.tries}), len(receiver.tries), "what was answered 500 is not sent again")
misbehaving("a receiver that is another program", lambda handler, raw: handler.answer(200, b"<html>Welcome</html>"),
            "not as a receiver of OTLP does")
misbehaving("a receiver that says ten megabytes", lambda handler, raw: handler.answer(200, b"x" * (10 << 20)),
            "not as a receiver of OTLP does")
target = Receiver()
misbehaving("a receiver that redirects", lambda handler, raw: handler.answer(307, Location=f"{target.url}{handler.path}"),
            "answered 307")
equal(target.tries, [], "a redirect is not followed")
misbehaving("a receiver that takes a part", lambda handler, raw: handler.answer(200, b"\x0a\x09\x08\x01\x12\x05no\nma"),
            "took a part: no ma")
receiver = Receiver(unready)
daemon = Daemon(place(), providers(), env={**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
answer = daemon.ask()
wait(lambda: receiver.records())
times = [when for when, path, _ in receiver.tries if path == "/v1/traces"]
check(len(times) == 2 and times[1] - times[0] >= 0.9, "503 with Retry-After is tried again, and not before", times)
compare(receiver, daemon, [answer.id], "after a second try")
daemon.stop()
done()
