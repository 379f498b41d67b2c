# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""A slow reader slows the provider down instead of filling memory, and a large upload is not kept.

MENSHEN_E2E_SLOW_READER="MIB MIB_PER_SECOND" sets size and pace of the slow reader: "60 6" unless told.
"""

import hashlib
import os
import time

from harness import JSON, Caller, Daemon, check, done, equal, note, place, wait
from upstream import Upstream

MIB = 1 << 20
SLOW_SIZE, SLOW_RATE = (int(float(number) * MIB) for number in os.environ.get("MENSHEN_E2E_SLOW_READER", "60 6").split())
upstream = Upstream()
daemon = Daemon(place(), f"""\
[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "sk-real"
""")


def slow_reader(size=SLOW_SIZE, rate=SLOW_RATE):
    caller = Caller(daemon.socket)
    caller.request("GET", f"/v1/bytes/{size}")
    response = caller.getresponse()
    call = upstream.calls[-1]
    before, peak, ahead = daemon.memory(), 0, 0
    got, digest, begin = 0, hashlib.sha256(), time.monotonic()
    while block := response.read(min(256 << 10, size - got)):
        digest.update(block)
        got += len(block)
        peak, ahead = max(peak, daemon.memory()), max(ahead, call.sent - got)
        time.sleep(max(0, begin + got / rate - time.monotonic()))
    seconds = time.monotonic() - begin
    caller.close()
    expected = hashlib.sha256((bytes(range(256)) * 256) * (size // 65536)).hexdigest()
    equal((got, digest.hexdigest()), (size, expected), "every byte arrives, in order")
    grown = peak - before
    note(f"{size // MIB} MiB in {seconds:.1f} s: resident {before / MIB:.1f} MiB, grew by {grown / MIB:.1f} MiB at most; "
         f"the provider was {ahead / MIB:.1f} MiB ahead at most")
    check(grown < 8 * MIB, "memory stays flat while a slow reader reads", f"{grown} bytes more")
    # What two sockets and a loopback connection buffer in the kernel.
    check(ahead < 16 * MIB, "the provider is held back", f"{ahead} bytes ahead")
    row = daemon.row(response.headers["x-menshen-request-id"])
    equal((row["bytes_out"], row["end_state"]), (size, "complete"), "the row counts every byte")


def upload(size=64 * MIB):
    body = (b"0123456789abcdef" * 65536) * (size // MIB)
    before = daemon.memory()
    caller = Caller(daemon.socket)
    begin = time.monotonic()
    caller.request("POST", "/v1/upload", body, {"Content-Type": "application/octet-stream"})
    answer = caller.getresponse()
    text = answer.read().decode()
    seconds = time.monotonic() - begin
    caller.close()
    check(answer.status == 200 and hashlib.sha256(body).hexdigest() in text and str(size) in text,
          f"{size // MIB} MiB arrive as they are", text)
    grown = daemon.memory("VmHWM") - before
    note(f"{size // MIB} MiB up in {seconds:.2f} s: resident {before / MIB:.1f} MiB, grew by {grown / MIB:.1f} MiB at most")
    check(grown < size / 4, "an upload is passed on, not kept", f"{grown} bytes more")
    row = daemon.row(answer.headers["x-menshen-request-id"])
    equal((row["bytes_in"], row["end_state"]), (size, "complete"), "its row counts every byte")


def late_facts(size=60 * MIB):
    """A JSON body that is streamed through tells its model at the very end, behind look-alikes."""
    decoy = b'{"model": "no", "stream": true, "text": "\\"model\\": \\"no\\", ' + b"a long prompt, " * 70_000 + b'"}'
    body = b'{"messages": [' + b",".join([decoy] * (size // len(decoy))) + b'], "stream": false, "model": "late-model"}'
    before = daemon.memory()
    caller = Caller(daemon.socket)
    caller.request("POST", "/v1/upload", body, JSON)
    answer = caller.getresponse()
    text = answer.read().decode()
    caller.close()
    check(answer.status == 200 and hashlib.sha256(body).hexdigest() in text, f"{len(body) // MIB} MiB of JSON arrive as they are", text)
    row = daemon.row(answer.headers["x-menshen-request-id"])
    equal((row["model"], row["stream"]), ("late-model", 0), "and its row names the model that stands at its end")
    grown = daemon.memory("VmHWM") - before
    check(grown < size / 4, "without being kept", f"{grown} bytes more")


def too_large(size=96 * MIB + 1):
    """One byte more than max_body_bytes: refused by its head alone."""
    caller = Caller(daemon.socket)
    sent = len(upstream.calls)
    caller.putrequest("POST", "/v1/upload")
    caller.putheader("Content-Type", "application/octet-stream")
    caller.putheader("Content-Length", str(size))
    caller.endheaders()
    answer = caller.getresponse()
    equal((answer.status, len(upstream.calls)), (413, sent), "one byte more than max_body_bytes: 413, and nothing at the provider")
    caller.close()


def many_slow_readers(count=40, size=4 * MIB):
    """Readers that stop reading altogether cost a bounded buffer each."""
    before = daemon.memory()
    callers = []
    for _ in range(count):
        caller = Caller(daemon.socket)
        caller.request("GET", f"/v1/bytes/{size}")
        callers.append((caller, caller.getresponse()))
    # The provider's threads come to rest when nobody takes anything any more.
    last = -1
    for _ in range(100):
        sent = sum(call.sent for call in upstream.calls[-count:])
        if sent == last:
            break
        last = sent
        time.sleep(0.1)
    each = (daemon.memory() - before) / count
    note(f"{count} stopped readers: {each / 1024:.0f} KiB each")
    check(each < 512 << 10, "a stopped reader costs less than 512 KiB", each)
    for caller, response in callers:
        response.close()
        caller.close()
    check(wait(lambda: daemon.rows("SELECT count(*) AS n FROM requests WHERE end_state = 'client_gone'")[0]["n"] == count),
          "and is recorded as gone when it leaves",
          daemon.rows("SELECT end_state, count(*) FROM requests GROUP BY 1"))


def flood():
    """Pipelined requests of a caller that never reads."""
    before = daemon.memory()
    with daemon.connect() as end:
        end.setblocking(False)
        piece = b"GET /_menshen/health HTTP/1.1\r\nHost: a\r\n\r\n" * 2000
        sent, quiet = 0, 0
        while quiet < 50 and sent < 64 << 20:
            try:
                sent += end.send(piece)
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.01)
        grown = daemon.memory() - before
        note(f"pipelined without reading: {sent >> 10} KiB taken, {grown >> 10} KiB more resident")
        check(grown < 4 << 20, "a caller that pipelines and never reads costs little", grown)


slow_reader()
flood()
upload()
late_facts()
too_large()
many_slow_readers()
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
done()
