# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Every case of Tests/Corpus through the daemon: the caller's bytes and the way its transfer ends, and the row."""

import collections
import concurrent.futures
import json
import time

from corpus import Case, Upstream, load, pieces_of, play, providers
from harness import Daemon, check, done, equal, note, number, place

COLUMNS = [
    "dialect", "operation", "model", "stream", "end_state", "problem", "finish_reason", "usage_state", "answer_model",
    "service_tier", "asked_tier", "speed", "inference_geo", "end_user", "input_total", "input_uncached", "cache_read",
    "cache_write", "cache_write_ttl", "stated_cost", "output_total", "reasoning", "audio_in", "audio_out", "image_in", "image_out", "seconds", "usage_other",
]
CODINGS = ("gzip", "br", "zstd")
# Served encoded as well. The last is cut: an error event in plain text would be no part of an encoded body.
ENCODED = [
    "openai-chat/plain", "openai-chat/stream", "openai-responses/stream-utf8-look-alikes", "openai-embeddings/plain",
    "anthropic-messages/plain", "anthropic-messages/stream-cache", "gemini-generate/plain-modalities",
    "gemini-stream-sse/stream", "gemini-stream-array/stream", "errors/openai-400", "anthropic-messages/stream-cut",
]

cases = load()
upstream = Upstream(cases)
daemon = Daemon(place(), providers(upstream))


class Play:
    """A case played in one way."""

    def __init__(self, case, how="event", coding=None, prefix="", expected={}, **options):
        self.case, self.coding = case, coding
        self.way = " ".join(filter(None, [how, coding, prefix]))
        self.record = {**case.record, **expected}
        self.closing = None if coding else case.closing
        self.breaks = case.breaks and "leave_after" not in options
        self.left = "leave_after" in options
        self.how = how
        self.seen = play(daemon.socket, case, how, coding, prefix, **options)

    def faults(self, row):
        yield from self.faults_of_answer()
        if not row:
            yield "no settled row"
            return
        for column in known:
            actual = row[column]
            if column == "usage_other" and actual is not None:
                actual = json.loads(actual)
            if actual != self.record.get(column):
                yield f"{column} is {actual!r}, not {self.record.get(column)!r}"
        if (row["status"], row["attempts"]) != (self.case.answer["status"], 1):
            yield f"status and attempts are {row['status']}, {row['attempts']}"
        if "usage_raw" not in row:
            return
        raw = row["usage_raw"]
        if (raw is not None) != (self.record["usage_state"] in ("reported", "partial")):
            yield f"usage_raw is {raw!r}"
        elif raw is not None and not isinstance(json.loads(raw), (dict, list)):
            yield f"usage_raw is neither object nor array: {raw}"

    def faults_of_answer(self):
        seen, case = self.seen, self.case
        if seen.status != case.answer["status"]:
            yield f"the caller's status is {seen.status}"
        wanted = {**case.answer["headers"], **({"content-encoding": self.coding} if self.coding else {})}
        changed = {name: seen.fields.get(name) for name, value in wanted.items() if seen.fields.get(name) != value}
        if changed:
            yield f"changed headers: {changed}"
        sent = b"".join(pieces_of(case, self.how, self.coding))
        if not seen.body.startswith(sent):
            yield f"bytes differ: {len(seen.body)} came, {len(sent)} were sent"
            return
        more = seen.body[len(sent):].decode(errors="replace")
        fault = closing_fault(more, self.closing, case)
        if fault:
            yield f"closing event: {fault}: {more[:300]!r}"
        if not self.left and seen.is_whole == self.breaks:
            yield f"the transfer {'ends cleanly' if seen.is_whole else 'breaks'}"


def closing_fault(more, closing, case):
    """What is wrong with the bytes after the provider's; None if nothing."""
    if closing is None:
        return "nothing may be added" if more else None
    if not more.endswith("\n\n") or more.count("\n\n") != 1:
        return "not one event"
    lines = dict(line.split(": ", 1) for line in more.strip().split("\n"))
    try:
        value = json.loads(lines["data"])
        if closing == "response.failed":
            last = [json.loads(line[6:]) for line in case.body.decode(errors="replace").split("\n") if line.startswith("data: ")][-1]
            answer = value["response"]
            told = (lines["event"], value["type"], value["sequence_number"], answer["id"], answer["status"])
            good = told == ("response.failed", "response.failed", last["sequence_number"] + 1, "resp_0d00r01", "failed")
            return None if good and answer["error"]["code"] and answer["error"]["message"] else "not response.failed as it should be"
        error = value["error"]
        if case.record["dialect"] == "anthropic":
            good = (lines["event"], value["type"]) == ("error", "error") and error["type"] in ("api_error", "overloaded_error")
        else:
            good = "event" not in lines and "type" in error and "code" in error
        return None if good and error["message"] else "not the dialect's error"
    except (KeyError, ValueError, TypeError, IndexError) as fault:
        return repr(fault)


def large():
    """Bodies and events beyond any buffer of an observer; made here, the corpus is to stay small."""
    chat = cases["openai-chat/stream"]
    first, *rest = chat.events()
    event = b'data: {"id":"chatcmpl-D7bb01","choices":[{"index":0,"delta":{"audio":{"data":"' + b"UklGRg==" * 400_000 + b'"}},"finish_reason":null}]}\n\n'
    yield derived(chat, "large/event", first + event + b"".join(rest))
    plain = cases["openai-embeddings/base64"]
    yield derived(plain, "large/plain", plain.body.replace(b"AACAPgAAAL8=", b"AACAPgAAAL8=" * 500_000))


def derived(case, name, body):
    content = {"about": case.about, "request": case.request, "answer": case.answer, "record": case.record, "closing": None,
               "transport": "whole", "caller": "whole"}
    cases[name] = Case(name, content, body)
    return cases[name]


def all_plays():
    for case in list(cases.values()):
        yield case, {"how": "whole"}
        yield case, {"how": "seven", "prefix": f"/c-{case.record['dialect']}"}
        yield case, {"how": "event"}
    for name in ENCODED:
        for coding in CODINGS:
            for how in ("whole", "event", "seven"):
                yield cases[name], {"how": how, "coding": coding}
    for case in large():
        yield case, {"how": "event"}
        yield case, {"how": "event", "coding": "gzip"}
    # The caller leaves: before the end, and after the marker while the provider's own end is still to come.
    part = cases["anthropic-messages/stream-cut"]
    gone = {"end_state": "client_gone", "problem": None}
    yield derived(part, "left/before", part.body), {"how": "hold", "leave_after": part.body[-20:], "expected": gone}
    for name in ("openai-chat/stream", "anthropic-messages/stream", "openai-responses/stream"):
        case = cases[name]
        last = case.body[case.body.rindex(b"\n\n", 0, -2) + 2:]
        yield case, {"how": "hold", "leave_after": last}


begin = time.monotonic()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    plays = list(pool.map(lambda item: Play(item[0], **item[1]), list(all_plays())))
daemon.settled(play.seen.id for play in plays if play.seen.id)
# Told once, not with every case.
columns = [row["name"] for row in daemon.rows("SELECT name FROM pragma_table_info('requests')")]
equal([name for name in [*COLUMNS, "usage_raw"] if name not in columns], [], "the table has all columns")
known = [name for name in COLUMNS if name in columns]
rows = {row["id"]: row for row in daemon.rows() if row["end_state"] != "open"}
by_case = collections.defaultdict(list)
for played in plays:
    by_case[played.case.name].append(played)
for name, played in by_case.items():
    faults = collections.defaultdict(list)
    for one in played:
        for fault in one.faults(rows.get(number(one.seen.id)) if one.seen.id else None):
            faults[fault].append(one.way)
    detail = "; ".join(f"{fault} ({', '.join(ways) if len(ways) < len(played) else 'always'})" for fault, ways in faults.items())
    check(not faults, f"{name}: {cases[name].about}", detail or "")
equal(len(rows), len(plays), "one row for each request")
equal(daemon.process.poll(), None, "the daemon is alive")
note(f"{len(plays)} requests in {time.monotonic() - begin:.1f} s")
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
done()
