# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The table: one line a figure, with what menshen holds itself to."""

from dataclasses import dataclass, replace

from measures import MEASURES, median


@dataclass(frozen=True)
class Line:
    figure: str
    text: str
    unit: str
    digits: int = 0
    #: What must and goal speak about: the "ratio" to the reference, or the "value" itself.
    bar: str = ""
    must: float = 0
    goal: float = 0
    at_least: bool = False
    #: The reference's own value where the bar was set: tells how this machine compares with that one.
    reference: float = 0


LINES = [
    Line("rps1", "requests/s, 1 caller", ""),
    Line("rps16", "requests/s, 16 callers", "", 0, "ratio", 0.50, 0.65, True),
    Line("rps64", "requests/s, 64 callers", "", 0, "ratio", 0.50, 0.65, True),
    Line("p501", "latency, 1 caller, p50", "µs"),
    Line("p991", "latency, 1 caller, p99", "µs"),
    Line("added", "added latency, 1 caller, p50", "µs", 0, "value", 110, 80, reference=63),
    Line("p5016", "latency, 16 callers, p50", "µs"),
    Line("p9916", "latency, 16 callers, p99", "µs"),
    Line("p5064", "latency, 64 callers, p50", "µs"),
    Line("p9964", "latency, 64 callers, p99", "µs"),
    Line("cpu1", "CPU per 10,000 requests, 1 caller", "s", 3),
    Line("cpu16", "CPU per 10,000 requests, 16 callers", "s", 3, "ratio", 2.5, 1.9),
    Line("cpu64", "CPU per 10,000 requests, 64 callers", "s", 3),
    Line("first_p50", "1,000 streams: first byte, p50", "ms", 2, "value", 0.8, 0.4, reference=0.29),
    Line("first_p99", "1,000 streams: first byte, p99", "ms", 1, "value", 8, 4, reference=1.4),
    Line("lag_p50", "1,000 streams: chunk lag, p50", "ms", 2),
    Line("lag_p99", "1,000 streams: chunk lag, p99", "ms", 1),
    Line("chunk_cpu", "1,000 streams: CPU per chunk", "µs", 1, "ratio", 1.4, 1.2),
    Line("stream_memory", "1,000 streams: resident memory per stream", "KiB", 1, "value", 34, 28, reference=18),
    Line("upload", "8 MiB request body, median", "ms", 1, "value", 14, 10, reference=12),
    Line("records", "records kept, 64 callers", "%", 2, "value", 100, 100, True, reference=100),
    Line("idle", "idle resident memory after 1 request", "MiB", 1, "value", 20, 16, reference=16),
    Line("cold", "cold start to the first answer", "ms", 1, "value", 40, 20),
    Line("size", "binary, stripped", "MB", 1, "value", 25, 25),
]

#: Other things are held to elsewhere: kind of bar, must and goal, by what `--tls` asks for, or `--proxy access`.
OTHER_BARS = {
    "access": {f"{figure}{n}": ("ratio", *bars) for n in (16, 64)
               for figure, bars in (("cpu", (1.05, 1.02)), ("rps", (0.95, 0.98)))},
    "1.1": {"p501": ("ratio", 1.3, 1.15), "chunk_cpu": ("ratio", 1.3, 1.1), "stream_memory": ("value", 40, 34)},
    "h2": {"p501": ("ratio", 1.3, 1.15), "stream_memory": ("value", 10, 8.5)},
}


def lines(case):
    if not case:
        return LINES
    none = ("", 0, 0)
    held = {line.figure: OTHER_BARS[case].get(line.figure, none) for line in LINES}
    return [replace(line, bar=bar, must=must, goal=goal, reference=0)
            for line in LINES for bar, must, goal in [held[line.figure]]]


def number(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def bound(line, limit):
    if not line.bar:
        return "–"
    if line.unit == "%":
        return f"{limit:g} %"
    sign = "≥" if line.at_least else "≤"
    return f"{sign} {limit:.2f} ×" if line.bar == "ratio" else f"{sign} {limit:g} {line.unit}"


def verdict(line, series):
    if series.broken or series.wrong:
        return "broken"
    if not line.bar:
        return "–"
    value = median(series.ratios() if line.bar == "ratio" else series.tested)
    if value is None:
        return "broken"
    if line.unit == "%":  # neither a lost record nor one too many
        return "goal" if all(abs(v - 100) < 1e-9 for v in series.tested) else "MISSED"
    sign = -1 if line.at_least else 1
    if sign * value > sign * line.must:
        return "MISSED"
    return "goal" if sign * value <= sign * line.goal else "must"


class Report:
    def __init__(self, bench, facts):
        self.bench, self.facts = bench, facts
        chosen = {figure for name in bench.options.only for figure in MEASURES[name][1]}
        case = "access" if bench.options.proxy == "access" else bench.options.tls
        self.lines = [(line, bench.series[line.figure]) for line in lines(case)
                      if line.figure in chosen]

    def broken(self):
        return any(series.broken or series.wrong for _, series in self.lines)

    def missed(self):
        return any(verdict(line, series) == "MISSED" for line, series in self.lines)

    def rows(self):
        for line, series in self.lines:
            ratios = series.ratios()
            yield {
                "figure": line.figure, "measure": line.text, "unit": line.unit,
                "reference": median(series.reference), "tested": median(series.tested), "ratio": median(ratios),
                "ratio_range": [min(ratios), max(ratios)] if ratios else None,
                "must": bound(line, line.must), "goal": bound(line, line.goal), "verdict": verdict(line, series),
                "rounds": {"reference": series.reference, "tested": series.tested},
                "wrong": series.wrong, "broken": series.broken}

    def json(self):
        return {"facts": self.facts, "rows": list(self.rows()), "notes": self.notes()}

    def notes(self):
        """What a reader must know of a figure; figures with the same trouble share a note."""
        troubles = {}
        for line, series in self.lines:
            if series.broken:
                troubles.setdefault(series.broken, []).append(line.text)
            for wrong in sorted(set(series.wrong)):
                troubles.setdefault(f"wrong answers: {wrong}", []).append(line.text)
        notes = [f"**{trouble}** ({'; '.join(texts)})" for trouble, texts in troubles.items()] + self.bench.notes
        for line, series in self.lines:
            here = median(series.reference)
            if line.reference and here and not 0.75 <= here / line.reference <= 1.33:
                notes.append(
                    f"{line.text}: nginx has {number(here, line.digits)} {line.unit} here, {line.reference:g} where "
                    "the bar was set")
        return list(dict.fromkeys(notes))

    def markdown(self):
        reference, tested = self.facts["reference"], self.facts["tested"]
        out = [f"{name}: {value}  " for name, value in self.facts.items()]
        out += ["", f"| measure | {reference} | {tested} | ratio (lowest–highest) | must | goal | verdict |",
                "|---|---:|---:|---:|---:|---:|---|"]
        for (line, series), row in zip(self.lines, self.rows()):
            ratio = "–"
            if row["ratio"] is not None:
                low, high = row["ratio_range"]
                ratio = f"{row['ratio']:.2f}" + (f" ({low:.2f}–{high:.2f})" if len(series.ratios()) > 1 else "")
            unit = f", {line.unit}" if line.unit else ""
            out.append(
                f"| {line.text}{unit} | {number(row['reference'], line.digits)} | {number(row['tested'], line.digits)} "
                f"| {ratio} | {row['must']} | {row['goal']} | {row['verdict']} |")
        notes = self.notes()
        return "\n".join(out + ([""] + [f"- {note}" for note in notes] if notes else []))
