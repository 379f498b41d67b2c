# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""What is measured. Every measure alternates the two proxies round by round and adds a Series per figure."""

import json
import os
import pathlib
import statistics
import subprocess
import time

from servers import KEY, TOKEN, Broken, Peak, Proxy, die_with_parent


class Series:
    """One figure over the rounds, for the reference and for the proxy under test, in the unit of its report line."""

    def __init__(self):
        self.reference, self.tested, self.wrong, self.broken = [], [], [], None

    def ratios(self):
        return [b / a for a, b in zip(self.reference, self.tested) if a > 0]


class Bench:
    """The state of a run: its tools, the provider, the two kinds of proxy, and what has been measured."""

    def __init__(self, options, tools, directory, provider, kinds):
        self.options, self.tools, self.directory = options, tools, pathlib.Path(directory)
        self.provider, self.upstream, self.kinds = provider, provider.upstream, kinds
        self.series, self.notes, self.started = {}, [], 0

    def start(self, kind):
        self.started += 1
        return Proxy(kind, self.directory / str(self.started), self.provider)

    def add(self, name, index, value):
        series = self.series.setdefault(name, Series())
        (series.tested if index else series.reference).append(value)

    def blame(self, names, index, what):
        """A figure got from wrong answers is no figure: its report line says so."""
        for name in names:
            self.series.setdefault(name, Series()).wrong.append(f"{self.kinds[index].name}: {what}")

    def load(self, target, token, *arguments):
        """Runs the load client to its end; returns its result and, in words, what was wrong with the answers."""
        arguments = ["--target", target, "--token", token, *map(str, arguments)]
        before = self.upstream.stats()
        done = subprocess.run([self.tools["loadgen"], *arguments], capture_output=True, text=True,
                              preexec_fn=die_with_parent)
        if done.returncode or not done.stdout:
            raise Broken(f"load client ended with {done.returncode}: {done.stderr.strip()}")
        result, after = json.loads(done.stdout), self.upstream.stats()
        wrong = {kind: n for kind, n in result["errors"].items() if n}
        for counter in ("bad_key", "token_leaks"):
            if after[counter] > before[counter]:
                wrong[counter] = after[counter] - before[counter]
        status = f", last status {result['last_bad_status']}" if wrong.get("status") else ""
        result["late_us"] = after["late_us_max"]
        return result, ", ".join(f"{n} {kind}" for kind, n in wrong.items()) + status

    def through(self, proxy, *arguments):
        result, wrong = self.load(proxy.target(self.options.transport), TOKEN, *arguments)
        proxy.check()
        return result, wrong

    def order(self, round_number, items):
        """Every item comes first equally often, so that what one leaves behind for the next evens out."""
        shift = round_number % len(items)
        return items[shift:] + items[:shift]


def plain(bench):
    """1 KiB in, about 600 bytes out, keep-alive, at 1, 16 and 64 callers; with 1 also straight to the provider."""
    proxies = [bench.start(kind) for kind in bench.kinds]
    try:
        for proxy in proxies:
            bench.through(proxy, "--callers", 16, "--seconds", 0.2)
        for number in range(bench.options.rounds):
            for callers in (1, 16, 64):
                slices = [0, 1] + (["direct"] if callers == 1 else [])
                p50 = {}
                for index in bench.order(number, slices):
                    p50[index] = plain_slice(bench, proxies, index, callers)
                for index in (0, 1) if callers == 1 else ():
                    bench.add("added", index, p50[index] - p50["direct"])
    finally:
        for proxy in proxies:
            proxy.stop()


def plain_slice(bench, proxies, index, callers):
    arguments = ["--callers", callers, "--seconds", bench.options.slice]
    if index == "direct":
        result, wrong = bench.load(f"tcp:127.0.0.1:{bench.upstream.port}", KEY, *arguments)
        if wrong:
            raise Broken(f"the provider itself answers wrongly: {wrong}")
        return result["latency_us"]["p50"]
    before = proxies[index].cpu()
    result, wrong = bench.through(proxies[index], *arguments)
    time.sleep(0.05)  # work that follows the answers, such as settling records, belongs to this slice
    cpu = proxies[index].cpu() - before
    figures = {
        "rps": result["rps"], "p50": result["latency_us"]["p50"], "p99": result["latency_us"]["p99"],
        "cpu": cpu / max(result["ok"], 1) * 10000}
    for name, value in figures.items():
        bench.add(f"{name}{callers}", index, value)
    if wrong:
        bench.blame([f"{name}{callers}" for name in figures] + (["added"] if callers == 1 else []), index, wrong)
    return result["latency_us"]["p50"]


def streams(bench):
    """1,000 streams at once, each on a new connection, 10 chunks a second each; a fresh process every round."""
    for number in range(bench.options.stream_rounds):
        for index in bench.order(number, [0, 1]):
            proxy = bench.start(bench.kinds[index])
            try:
                stream_slice(bench, proxy, index)
            finally:
                proxy.stop()


def stream_slice(bench, proxy, index):
    first_request(bench, proxy)
    idle, cpu = proxy.resident(), proxy.cpu()
    with Peak(proxy) as peak:
        result, wrong = bench.through(
            proxy, "--streams", 1000, "--ramp-ms", 1000, "--chunks", 30, "--interval-ms", 100, "--timeout", 30)
    time.sleep(0.05)
    figures = {
        "first_p50": result["first_us"]["p50"] / 1000, "first_p99": result["first_us"]["p99"] / 1000,
        "lag_p50": result["lag_us"]["p50"] / 1000, "lag_p99": result["lag_us"]["p99"] / 1000,
        "chunk_cpu": (proxy.cpu() - cpu) / max(result["chunks"], 1) * 1e6,
        "stream_memory": (peak.kib - idle) / 1000}
    for name, value in figures.items():
        bench.add(name, index, value)
    if wrong:
        bench.blame(figures, index, wrong)
    if result["late_us"] > 20000:
        bench.notes.append(
            f"streams, {bench.kinds[index].name}: the provider itself was up to "
            f"{result['late_us'] / 1000:.0f} ms late: the machine was busy")


def first_request(bench, proxy):
    _, wrong = bench.through(proxy, "--requests", 1)
    if wrong:
        raise Broken(f"{proxy.kind.name}, first request: {wrong}")
    time.sleep(0.2)


def upload(bench):
    """8 MiB request bodies, one after the other on one connection."""
    proxies = [bench.start(kind) for kind in bench.kinds]
    arguments = ["--callers", 1, "--body-bytes", 8 << 20, "--requests"]
    try:
        for proxy in proxies:
            bench.through(proxy, *arguments, 2)
        for number in range(bench.options.rounds):
            for index in bench.order(number, [0, 1]):
                before = bench.upstream.stats()["body_bytes"]
                result, wrong = bench.through(proxies[index], *arguments, bench.options.uploads)
                bench.add("upload", index, result["latency_us"]["p50"] / 1000)
                arrived = bench.upstream.stats()["body_bytes"] - before
                if arrived != bench.options.uploads * (8 << 20):
                    wrong += f" {arrived} bytes arrived"
                if wrong:
                    bench.blame(["upload"], index, wrong)
    finally:
        for proxy in proxies:
            proxy.stop()


def idle(bench):
    """Resident memory of a fresh process 0.2 s after its first request."""
    for number in range(bench.options.stream_rounds):
        for index in bench.order(number, [0, 1]):
            proxy = bench.start(bench.kinds[index])
            try:
                first_request(bench, proxy)
                bench.add("idle", index, proxy.resident() / 1024)
            finally:
                proxy.stop()


def cold(bench):
    """From exec with an inherited, already connected socket to the first whole answer."""
    directories = []
    for index, kind in enumerate(bench.kinds):
        directories.append(bench.directory / f"cold-{index}")
        directories[index].mkdir(mode=0o700)
    for number in range(bench.options.cold_starts + 1):
        for index in bench.order(number, [0, 1]):
            kind, directory = bench.kinds[index], directories[index]
            path = directory / "proxy.sock"
            command, environment = kind.command(directory, bench.provider, [f"unix:{path}"])
            done = subprocess.run(
                [bench.tools["activate"], "--socket", path, "--token", TOKEN, "--count", "1", "--", *command],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, timeout=30,
                preexec_fn=die_with_parent)
            result = json.loads(done.stdout) if done.returncode == 0 else {"failures": 1}
            if result["failures"]:
                raise Broken(f"{kind.name}: no answer after a cold start: {done.stderr.strip()[-400:]}")
            if number:  # the very first start also creates the database
                bench.add("cold", index, result["us"][0] / 1000)


def records(bench):
    """Records kept of requests answered, 64 callers: rows in SQLite, or lines in nginx's log."""
    for number in range(bench.options.record_rounds):
        for index in bench.order(number, [0, 1]):
            proxy = bench.start(bench.kinds[index])
            try:
                first_request(bench, proxy)
                before = proxy.records()
                result, wrong = bench.through(proxy, "--callers", 64, "--seconds", bench.options.slice)
                proxy.check()
                limit = time.monotonic() + 2  # nginx writes its line after the answer
                while (kept := proxy.records() - before) < result["issued"] and time.monotonic() < limit:
                    time.sleep(0.05)
                bench.add("records", index, 100 * kept / max(result["issued"], 1))
                if wrong:
                    bench.blame(["records"], index, wrong)
            finally:
                proxy.stop()


def size(bench):
    """The binary as a package would ship it: stripped."""
    for index, kind in enumerate(bench.kinds):
        copy = bench.directory / f"stripped-{index}"
        stripped = subprocess.run(["strip", "-o", copy, kind.binary], capture_output=True).returncode == 0
        bench.add("size", index, os.path.getsize(copy if stripped else kind.binary) / 1e6)


#: In the order in which they run: name, what does it, the figures it gives.
MEASURES = {
    "plain": (plain, ["added"] + [f"{name}{n}" for n in (1, 16, 64) for name in ("rps", "p50", "p99", "cpu")]),
    "streams": (streams, ["first_p50", "first_p99", "lag_p50", "lag_p99", "chunk_cpu", "stream_memory"]),
    "upload": (upload, ["upload"]),
    "records": (records, ["records"]),
    "idle": (idle, ["idle"]),
    "cold": (cold, ["cold"]),
    "size": (size, ["size"]),
}


def median(values):
    return statistics.median(values) if values else None
