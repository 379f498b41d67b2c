# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Runs the chosen measures and prints the table. Started by `run`, which installs what is missing."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

from measures import MEASURES, Bench, Series
from report import Report
from servers import HERE, Broken, Haproxy, Menshen, Nginx, Provider, Upstream, access


def parse():
    parser = argparse.ArgumentParser(
        prog="run", description="Compares menshen with nginx, slice by slice in one run, and prints ratios.",
        epilog="MENSHEN=PATH names the binary (default: .build/release/menshen). Exit: 0 measured, 1 a must is "
               "missed (with --check), 2 something is broken: a process, a tool, or answers that were wrong.")
    parser.add_argument("--quick", action="store_true", help="about 30 s in all; figures good to 20 %% or so")
    parser.add_argument("--rounds", type=int, metavar="N", help="paired rounds per measure (21; streams, idle: 5)")
    parser.add_argument("--only", action="append", metavar="NAME", choices=list(MEASURES),
                        help="one measure, may be repeated: " + ", ".join(MEASURES))
    parser.add_argument("--transport", choices=["tcp", "unix"], default="tcp", help="how callers connect (tcp)")
    parser.add_argument("--tls", choices=["1.1", "h2"],
                        help="the provider speaks TLS 1.3 (haproxy), by this HTTP; over h2 haproxy is the reference")
    parser.add_argument("--proxy", choices=["menshen", "nginx", "access"], default="menshen",
                        help="what is compared; nginx: a second nginx, to see what the noise is; access: menshen with tokens, "
                             "rules and limits, with menshen without")
    parser.add_argument("--json", metavar="FILE", help="also write every round's figures")
    parser.add_argument("--check", action="store_true", help="a missed must is an error")
    options = parser.parse_args()
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.only = options.only or list(MEASURES)
    quick = options.quick
    # Many short slices rather than few long ones: a shared machine's speed changes from one second to the next, and
    # what falls between two slices of a pair spoils one ratio of many.
    options.slice = 0.15 if quick else 0.3
    options.stream_rounds = options.rounds or (1 if quick else 5)
    options.rounds = options.rounds or (7 if quick else 21)
    options.uploads = 5
    options.cold_starts = 5 if quick else 15
    options.record_rounds = 1 if quick else 2
    return options


def build_tools(directory):
    tools = {name: directory / name for name in ("loadgen", "upstream", "activate")}
    for name, path in tools.items():
        subprocess.run(["gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-o", path, HERE / f"{name}.c"], check=True)
    return tools


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def machine_cpu():
    """CPU seconds since boot over all cores: used by processes, stolen by the host, and all there were."""
    ticks = list(map(int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
    user, nice, system, _, _, _, _, steal = ticks  # interrupts stay out: loopback's are this run's own
    return [n / os.sysconf("SC_CLK_TCK") for n in (user + nice + system, steal, sum(ticks))]


def own_cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(bench):
    for name in bench.options.only:
        run, figures = MEASURES[name]
        print(f"bench: {name}: {run.__doc__.splitlines()[0]}", file=sys.stderr, flush=True)
        for figure in figures:
            bench.series.setdefault(figure, Series())
        try:
            run(bench)
        except (Broken, OSError, subprocess.SubprocessError, ValueError) as error:
            for figure in figures:
                bench.series[figure].broken = f"{type(error).__name__}: {error}"


def main():
    options = parse()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < 4096:
        print(f"bench: only {files} open files are allowed; 1,000 streams need 4096", file=sys.stderr)
        return 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    binary = os.environ.get("MENSHEN") or HERE.parent.parent / ".build/release/menshen"
    tested = Nginx("nginx again") if options.proxy == "nginx" else Menshen(binary)
    if not os.access(tested.binary, os.X_OK):
        print(f"bench: {tested.binary} is not there: swift build -c release, or set MENSHEN", file=sys.stderr)
        return 2
    kinds = [Haproxy() if options.tls == "h2" else Nginx(), tested]
    if options.proxy == "access":
        kinds = [tested, tested := Menshen(binary, "menshen with access", access())]

    directory, upstream, provider = pathlib.Path(tempfile.mkdtemp(prefix="menshen-bench-")), None, None
    try:
        tools = build_tools(directory)
        machine_before, own_before = machine_cpu(), own_cpu()
        upstream = Upstream(tools, directory)
        provider = Provider(upstream, directory, "http/1.1" if options.tls == "1.1" else options.tls)
        facts = {
            "reference": kinds[0].name, "tested": tested.name,
            "versions": ", ".join(kind.version() for kind in kinds),
            "machine": f"{os.cpu_count()} × {processor()}, Linux {platform.release()}",
            "date": datetime.date.today().isoformat(),
            "rounds": f"{options.rounds} of {options.slice:g} s, streams {options.stream_rounds}, {options.transport}"
                      + (f", TLS 1.3 with {options.tls}" if options.tls else "")}
        bench = Bench(options, tools, directory, provider, kinds)
        measure(bench)
        provider.stop()
        upstream.stop()  # only processes that have ended are counted as ours
        used, stolen, available = (b - a for a, b in zip(machine_before, machine_cpu()))
        others = max(used - (own_cpu() - own_before), 0) / available
        stolen /= available
        facts["taken from the run"] = f"{others:.0%} of the CPU by other processes, {stolen:.0%} by the host"
        if others > 0.1 or stolen > 0.1:
            bench.notes.append("**the machine was busy with something else: run again when it is quiet**")
    finally:
        if provider:
            provider.stop()
        if upstream:
            upstream.stop()
        shutil.rmtree(directory, ignore_errors=True)
    report = Report(bench, facts)
    print(report.markdown())
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(report.json(), indent=1, ensure_ascii=False) + "\n")
    if report.broken():
        return 2
    return 1 if options.check and report.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
