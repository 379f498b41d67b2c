# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""A soak over TLS, with the providers of unsteady.py, which close, reset, refuse, cut, GOAWAY and restart at random.

  soak.py BINARY [--minutes N]   N: MENSHEN_E2E_SOAK, or 0.25; by hand alone, because chance has its part; a line a minute, the checks at the end

Each request has a number. Whatever is not excused by what the providers have written down of it has to be answered, byte for
byte.
"""

import argparse
import asyncio
import collections
import hashlib
import http.client
import os
import statistics
import threading
import time

from harness import *
from unsteady import KINDS, UPLOAD, Over1, Over2, Server, answer, deeds, draw, faults, hurt, read, refused

parser = argparse.ArgumentParser()
parser.add_argument("binary")
parser.add_argument("--minutes", type=float, default=float(os.environ.get("MENSHEN_E2E_SOAK", 0.25)))
options = parser.parse_args()
CALLERS, RATE = 8, 40
MIB = 1 << 20
# By number: request id, outcome, kind, server, begin, end.
results, counts, failed = {}, collections.Counter(), collections.deque()
excuses, unexcused = collections.Counter(), []


def body(kind, index):
    pad = "x" * UPLOAD if kind == "upload" else ""
    stream = "true" if kind in ("stream", "leaves") else "false"
    return f'{{"model":"{kind}","stream":{stream},"messages":[{{"role":"user","content":"{index}{pad}"}}]}}'.encode()


class Asker(threading.Thread):
    """A caller on a kept connection, at its pace."""

    def __init__(self, index):
        super().__init__(daemon=True)
        self.index, self.caller = index, Caller(daemon.socket)

    def run(self):
        server = servers[0]
        for turn in range(1 << 40):
            # Half of them come right behind an answer, when connections end.
            if draw.random() < 0.5:
                server = draw.choice(servers)
                stopped.wait(draw.expovariate(RATE / CALLERS / 1.4))
            if stopped.is_set():
                return
            try:
                self.ask(turn * CALLERS + self.index, server, draw.choices(list(KINDS), KINDS.values())[0])
            except Exception as error:
                faults.append(repr(error))

    def ask(self, index, server, kind):
        begin, request = time.monotonic(), body(kind, index)
        name = outcome = None
        if draw.random() < 0.1:
            # At the same time: which of both is first is the kernel's to say.
            asyncio.run_coroutine_threadsafe(server.close_idle(), loop)
        try:
            self.caller.request("POST", f"/{server.name}/v1/chat/completions", request, {**JSON, "x-number": str(index)})
            response = self.caller.getresponse()
            name, outcome = response.headers["x-menshen-request-id"], response.status
            if outcome == 200 and kind == "leaves" and response.read1(1):
                self.caller.close()
                outcome = "left"
            else:
                got, broke = self.take(response, kind)
                expected = b"".join(answer(kind, index, hashlib.sha256(request).hexdigest()))
                if outcome == 200:
                    outcome = "broken" if broke else "whole" if got == expected else "wrong"
                    if broke and not expected.startswith(got.partition(b'data: {"error"')[0]):
                        outcome = "wrong"
        except (OSError, http.client.HTTPException) as error:
            outcome = repr(error)
            self.caller.close()
        results[index] = (name, outcome, kind, server, begin, time.monotonic())
        counts[outcome] += 1
        if outcome not in ("whole", "left"):
            failed.append(index)

    def take(self, response, kind):
        got = b""
        try:
            while block := response.read1(65536):
                got += block
                if kind == "slow":
                    # A reader's pace: 600 KB take half a second.
                    time.sleep(0.05)
            broke = bool(response.length)
            response.close()
        except (OSError, http.client.HTTPException):
            broke = True
        if broke or response.will_close:
            self.caller.close()
        return got, broke


def excuse(index, reasons):
    """Why a request may have failed; None: it should not have."""
    name, outcome, kind, server, begin, end = results[index]
    if index in hurt:
        return "hurt by the provider"
    if name is None:
        # Decision 0018: where all of an announced length had come, menshen can only end the connection behind the answer.
        return "behind an answer that was hurt" if "RemoteDisconnected" in outcome and index - CALLERS in hurt else None
    if read[index] or not reasons:
        return None
    if reasons[-1] in ("connect", "tls") and any(begin < until and since < end for since, until in server.windows):
        return "nobody listened"
    if reasons[-1] == "reset" and any(begin < at + 0.1 and at < end for at in server.resets):
        return "reset while it was on its way, which does not show whether it was read"
    return "two mishaps in a row, where it is sent once more" if len(reasons) > 1 else None


def judge():
    """Looks at the failures since the last time, and their records."""
    while failed:
        index = failed.popleft()
        name, outcome, kind, server, since, until = results[index]
        row = name and daemon.row(name)
        reasons = [each["reason"] for each in daemon.rows(
            "SELECT reason FROM attempts WHERE request_id = ? ORDER BY n", row["id"])] if row else []
        why = excuse(index, reasons) if name is None or outcome in (502, "broken") else None
        excuses[why] += 1
        times = [f"{at - begin:.3f}" for at in (since, until)]
        story = (index, name, outcome, kind, server.name, reasons, read[index], *times)
        if len(reasons) > 1:
            note(f"sent once more in vain: {story}")
        if why is None:
            unexcused.append(story)
            note(f"not excused: {story}")


def twice():
    """Number, request id, kind, provider."""
    over = [(index, results.get(index)) for index, times in dict(read).items() if times > 1]
    return [(index, each and (each[0], each[2], each[3].name)) for index, each in over]


def sample():
    """Resident memory, descriptors, seconds of CPU."""
    with open(f"/proc/{daemon.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    try:
        descriptors = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    except PermissionError:
        descriptors = None
    return (daemon.memory(), descriptors, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))


home = place()
certificate(home)
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
servers = [Server("one", Over1, home, loop), Server("two", Over2, home, loop)]
daemon = Daemon(home, "".join(
    provider(each.name, each.port, f"{home}/cert.pem", "http2 = false" if each.kind is Over1 else "") for each in servers)
    # A provider that is left alone for a while would hide what becomes of requests meanwhile.
    + "[failover]\nbreaker_failures = 0\n")
stopped, samples, begin = threading.Event(), [], time.monotonic()
askers = [Asker(index) for index in range(CALLERS)]
for each in askers:
    each.start()
seconds, minute = options.minutes * 60, 1
while (now := time.monotonic() - begin) < seconds and daemon.process.poll() is None:
    samples.append(sample())
    if now >= minute * 60:
        judge()
        memory, descriptors, cpu = samples[-1]
        note(f"minute {minute}: {dict(counts)}; not excused {len(unexcused)}, read twice {twice()}, "
             f"faults {faults[:3]}; resident {memory / MIB:.1f} MiB, {descriptors} descriptors, {cpu:.1f} s of CPU")
        minute += 1
    stopped.wait(min(5, seconds / 50))
for each in servers:
    each.troubles.cancel()
stopped.set()
for each in askers:
    each.join(PATIENCE)
equal(daemon.process.poll(), None, "menshen runs to the end")

wait(lambda: not daemon.rows("SELECT 1 FROM requests WHERE end_state = 'open' LIMIT 1"))
judge()
rows = {row["id"]: row for row in daemon.rows("SELECT id, end_state, problem FROM requests")}
misrecorded = []
states = {"whole": {"complete"}, 502: {"upstream_error"}, "broken": {"truncated"}, "left": {"client_gone"}}
for index, (name, outcome, kind, server, since, until) in results.items():
    row = rows.pop(number(name), None) if name else None
    allowed = states.get(outcome, set()) | ({"truncated"} if outcome in ("left", "whole") and index in hurt else set())
    if row["end_state"] not in allowed if row else name or not excuse(index, []):
        misrecorded.append((index, name, outcome, kind, server.name, row and (row["end_state"], row["problem"])))
note(f"outcomes: {dict(counts)}")
note(f"what the providers did: {dict(deeds)}; {sum(refused.values())} times said to be untouched")
for why, times in excuses.items():
    note(f"not answered: {times}, {why}")
repeated = {row["reason"]: row["n"] for row in daemon.rows("SELECT reason, count(*) AS n FROM attempts GROUP BY 1")}
note(f"attempts: {repeated}")
total = len(results)
equal(twice(), [], f"of {total} requests none is sent twice that may have been worked on")
equal(unexcused, [], "a dying connection costs nobody an answer that the provider has not read")
equal(counts["wrong"], 0, f"{counts['whole']} whole answers are the provider's, byte for byte")
equal(misrecorded, [], "each request has its record, with its right end")
equal(list(rows), [], "and there are no others")
equal(faults, [], "the providers and callers saw nothing that must not be")
check(counts["whole"] > total / 2, "most are answered", counts)
check(repeated.get("refused_stream"), "some are sent once more", repeated)

warm = samples[len(samples) // 10:]
first, last = warm[:len(warm) // 4], warm[-(len(warm) // 4):]
before, after = (statistics.median(memory for memory, *_ in part) / MIB for part in (first, last))
peak = daemon.memory("VmHWM") / MIB
note(f"resident: {before:.1f} MiB after warming up, {after:.1f} MiB at the end, {peak:.1f} MiB at most")
# Less than a minute is all warming up.
bound = 3 if seconds >= 60 else 12
check(after - before < bound, f"resident memory grows by less than {bound} MiB after a tenth of the time", (before, after))
if samples[-1][1] is None:
    skipped("descriptors", "only root sees them")
else:
    before, after = (max(descriptors for _, descriptors, _ in part) for part in (first, last))
    check(after <= before + 8, f"descriptors stay: {before} at most after warming up, {after} at the end", (before, after))
cpu = samples[-1][2]
note(f"CPU: {cpu:.1f} s, {cpu / total * 1e6:.0f} us a request; {total / seconds:.0f} requests a second")
equal(daemon.stop(), 0, "menshen stops in order")
done()
