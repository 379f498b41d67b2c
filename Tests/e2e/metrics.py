# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Metrics as a real Prometheus reads them: its linter, its scraper over TCP, its sums beside the database's; alert rules and
the dashboard's queries. With Debian's `prometheus`, which brings promtool."""

import base64
import json
import os
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

from harness import JSON, TOKEN, Caller, Daemon, ask, check, done, environment, equal, free_port, note, place, skipped, spawn, wait, write
from upstream import Upstream

MONITORING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/monitoring")
PASSWORD = {"Authorization": "Basic " + base64.b64encode(b"ops:open sesame").decode()}
OPEN = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}

home = place()
upstream = Upstream()
metrics = ("127.0.0.1", free_port())
file = f"{home}/menshen.prom"


def configuration(more=""):
    return f"""\
[server]
workers = 3
idle_exit = "1s"
metrics_listen = "127.0.0.1:{metrics[1]}"
metrics_file = "{file}"
metrics_max_names = 5
{more}
[auth]
token = "{TOKEN}"
user = "ops"
password = "open sesame"

[limits]
instance = ["5usd/day", "100000 requests/day"]
timezone = "UTC"
unpriced = "allow"

[cache]
enable = true
max_age = "1h"

[[providers]]
name = "openai"
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "sk-real"
prices = "openai"
max_concurrent = 2
queue_timeout = "20s"

[[providers]]
name = "dead"
base_url = "http://127.0.0.1:{free_port()}/v1"
kind = "openai"
api_key = "sk-other"
models = ["dead-*"]
"""


daemon = Daemon(home, configuration(), tcp=True)


def chat(model, number, stream=False):
    return json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": f"hello {number}"}]}).encode()


# Some of everything: priced, unpriced, streamed, repeated, refused, queued, invented.
asked = []
for number in range(12):
    asked.append(daemon.ask(body=chat("gpt-4o", number)))
    asked.append(daemon.ask(body=chat("gpt-4o-mini", number % 4)))
for number in range(5):
    asked.append(daemon.ask(body=chat("burst", number, stream=True)))
asked.append(daemon.ask(body=chat("bad-key", 0)))
asked.append(daemon.ask("/dead/v1/chat/completions", chat("dead-1", 0)))
for number in range(20):
    asked.append(daemon.ask(body=chat(f'"}} 1 \\\\ in{number}vented\n\x07é', number)))
threads = [threading.Thread(target=lambda: asked.append(daemon.ask(body=chat("burst", 100, stream=True)))) for _ in range(10)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
daemon.settled([answer.id for answer in asked])
refused = [daemon.ask(fields={**JSON, "Authorization": "Bearer wrong"}, unix=False).status for _ in range(3)]
equal(refused, [401] * 3, "a wrong token is refused")


def page(target, fields={}, path="/_menshen/metrics"):
    return ask(target, path, None, fields, "GET")


# 1. Who gets it.

tcp = ("127.0.0.1", daemon.port)
equal(page(metrics).status, 200, "on metrics_listen nothing has to be shown")
equal(page(metrics, path="/_menshen/health").body, b'{"status":"ok"}\n', "metrics_listen tells health, too")
for path in ("/v1/models", "/openai/v1/models", "/", "/_menshen/status", "/_menshen/usage", "/_menshen/admin/tokens", "/key/info"):
    answer = page(metrics, {"Authorization": f"Bearer {TOKEN}"}, path)
    check(answer.status == 404 and b"metrics" in answer.body, f"{path} is not there on metrics_listen", (answer.status, answer.body))
equal(ask(metrics, body=chat("gpt-4o", 0), fields={**JSON, "Authorization": f"Bearer {TOKEN}"}).status, 404,
      "no provider is asked through metrics_listen")
equal(page(metrics, {"Host": "evil.example"}).status, 421, "a page that has its name resolved to this machine gets nothing")
equal(page(metrics, {"Origin": "http://evil.example"}).status, 403, "another site's page gets nothing")
equal([page(tcp).status, page(tcp, {"Authorization": f"Bearer {TOKEN}"}).status, page(tcp, PASSWORD).status], [401, 403, 200],
      "on the API's port the password shows it, and no token does")
equal(page(daemon.socket).status, 200, "on the Unix socket its user sees it")
check(b"sk-real" not in page(metrics).body and TOKEN.encode() not in page(metrics).body, "no secret is in it")

# 2. What promtool says of it.

for fields, name in (({}, "text"), (OPEN, "OpenMetrics")):
    answer = page(metrics, fields)
    kind = "application/openmetrics-text; version=1.0.0; charset=utf-8" if fields else "text/plain; version=0.0.4; charset=utf-8"
    equal(answer.fields["Content-Type"], kind, f"the content type is that of {name}")
    check(answer.body.endswith(b"# EOF\n") == bool(fields), f"the end of {name} is marked as it should be")

if not shutil.which("promtool") or not shutil.which("prometheus"):
    skipped("Prometheus", "promtool and prometheus are not installed (Debian: prometheus)")
    done()


def promtool(*arguments, cwd=MONITORING, text=None):
    return subprocess.run(["promtool", *arguments], cwd=cwd, input=text, capture_output=True, timeout=60)


lint = promtool("check", "metrics", text=page(metrics).body)
equal((lint.returncode, lint.stdout + lint.stderr), (0, b""), "promtool finds nothing to say about the metrics")
check(wait(lambda: os.path.exists(file), 20), "metrics_file is written")
with open(file, "rb") as written:
    lint = promtool("check", "metrics", text=written.read())
equal((lint.returncode, lint.stdout + lint.stderr), (0, b""), "promtool finds nothing to say about metrics_file")
equal(oct(os.stat(file).st_mode & 0o777), "0o644", "node_exporter may read metrics_file")
equal(sorted(name for name in os.listdir(home) if "menshen.prom" in name), ["menshen.prom"], "nothing is left beside metrics_file")
for arguments in (("check", "rules", "menshen.rules.yml"), ("test", "rules", "menshen.rules.test.yml"), ("check", "config", "prometheus.yml")):
    result = promtool(*arguments)
    check(result.returncode == 0, f"promtool {' '.join(arguments)}", result.stdout + result.stderr)

# 3. A real Prometheus.

port = free_port()
store = place()
with open(f"{MONITORING}/prometheus.yml") as sample:
    text = sample.read().replace("127.0.0.1:9464", f"127.0.0.1:{metrics[1]}")
text = text.replace("  - menshen.rules.yml", f"  - {os.path.abspath(MONITORING)}/menshen.rules.yml")
text = "global: {scrape_interval: 1s, evaluation_interval: 1s}\n" + text
shutil.copy(f"{MONITORING}/menshen.rules.yml", f"{store}/menshen.rules.yml")
os.chmod(f"{store}/menshen.rules.yml", 0o644)
text = re.sub(r"  - /.*menshen.rules.yml", f"  - {store}/menshen.rules.yml", text)
write(f"{store}/prometheus.yml", text)
with open(f"{store}/log", "ab") as log:
    prometheus = spawn(
        ["prometheus", f"--config.file={store}/prometheus.yml", f"--storage.tsdb.path={store}/data",
         f"--web.listen-address=127.0.0.1:{port}"], store, environment(store), log)


def query(expression):
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return []


def value(expression):
    result = query(expression)
    return float(result[0]["value"][1]) if isinstance(result, list) and result else None


def by(label, expression):
    return {each["metric"].get(label, ""): float(each["value"][1]) for each in query(expression)}


check(wait(lambda: value('up{job="menshen"}') == 1, 60, 0.2), "Prometheus scrapes menshen", open(f"{store}/log").read()[-500:])
# Everything was settled before the first scrape.
wait(lambda: daemon.rows("SELECT count(*) AS n FROM requests WHERE end_state <> 'open'")[0]["n"] >= len(asked) + 12, 5)
rows = daemon.rows("SELECT * FROM requests WHERE end_state <> 'open'")


note(f"{len(rows)} rows, {len(asked)} requests asked")
equal(value("sum(menshen_requests_total)"), float(len(rows)), "requests are as many as rows")
for state in sorted({row["end_state"] for row in rows}):
    equal(value(f'sum(menshen_requests_total{{end_state="{state}"}})'),
          float(sum(row["end_state"] == state for row in rows)), f"as many requests are {state} as rows")
fresh = [row for row in rows if row["cache"] != "hit"]
equal(value("sum(menshen_input_tokens_total)"), float(sum(row["input_total"] or 0 for row in fresh)), "input tokens are the database's")
equal(value("sum(menshen_output_tokens_total)"), float(sum(row["output_total"] or 0 for row in fresh)), "output tokens are the database's")
cost = sum(row["cost"] or 0 for row in rows) / 1e12
check(cost > 0 and abs(value("sum(menshen_cost_dollars_total)") - cost) < 1e-12, "the cost is the database's", (cost, value("sum(menshen_cost_dollars_total)")))
equal(value("sum(menshen_unpriced_requests_total)"), float(sum(row["cost_state"] == "unpriced" for row in rows)), "so is what is not priced")
equal(value("sum(menshen_request_duration_seconds_count)"), value("sum(menshen_requests_total)"), "each request has its time")
check(abs(value("sum(menshen_request_duration_seconds_sum)") - sum(row["total_us"] for row in rows) / 1e6) < 1e-3,
      "times add up to the database's")
models = by("model", "sum by (model) (menshen_requests_total)")
check(len(models) <= 7 and "other" in models and "gpt-4o" in models, "twenty invented names are one", list(models))
check(value("menshen_queue_wait_seconds_count") > 0, "requests that waited for a place are counted")
equal(value("menshen_longest_gap_seconds_count{model=\"burst\"}"), float(sum(row["model"] == "burst" and row["cache"] != "hit" for row in rows)),
      "each stream has its longest gap")
check(value('histogram_quantile(0.5, menshen_longest_gap_seconds_bucket{model="burst"})') >= 0.005, "which is at least the provider's pause")
equal(value("sum(menshen_cache_hits_total)"), float(sum(row["cache"] == "hit" for row in rows)), "hits of the cache are the database's")
equal(by("reason", 'menshen_attempts_total{provider="dead"}'), {"connect": 1.0}, "an attempt at a dead provider says why it failed")
equal(by("device", "menshen_audit_device"), {"database": 1.0, "journal": 0.0, "none": 0.0}, "records go to the database")
equal(value("menshen_places_limit"), 2.0, "places at a provider are told")
equal(value('menshen_limit{measure="usd"}'), 5.0, "limits are told")
check(abs(value('menshen_limit_spent{measure="usd"}') - cost) < 1e-9, "and what is spent of them", value('menshen_limit_spent{measure="usd"}'))
equal([value("menshen_open_requests"), value("menshen_open_streams")], [0.0, 0.0], "nothing is under way any more")
check(value("process_resident_memory_bytes") > 1 << 20 and value("process_open_fds") > 5, "the process is seen")
check(abs(value("process_start_time_seconds") - os.stat(f"/proc/{daemon.pid}").st_mtime) < 30, "its start is known")

# 4. What is under way.

caller = Caller(daemon.socket)
caller.request("POST", "/v1/chat/completions", chat("long", 0, stream=True), JSON)
caller.getresponse().read(10)
text = page(metrics).body
check(b"menshen_open_streams 1\n" in text and b"menshen_open_requests 1\n" in text, "a stream under way is seen")
caller.close()
check(wait(lambda: b"menshen_open_requests 0\n" in page(metrics).body, 5), "and its end, when its caller leaves")

# 5. The dashboard and the rules, on these numbers.

for number in range(4):
    daemon.ask(body=chat("gpt-4o", f"later {number % 2}"))
daemon.ask("/dead/v1/chat/completions", chat("dead-1", 1))
threads = [threading.Thread(target=lambda: daemon.ask(body=chat("burst", 200, stream=True))) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wait(lambda: value("sum(increase(menshen_caller_requests_total[10s]))"), 15, 0.2)
with open(f"{MONITORING}/menshen.dashboard.json") as dashboard:
    panels = json.load(dashboard)["panels"]
expressions = [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]
check(len(expressions) > 25, "the dashboard asks something")
failed, empty = [], []
for title, expression in expressions:
    for variable, text in (("$__rate_interval", "10s"), ("$__range", "1h"), ("$instance", ".*"), ("$provider", ".*")):
        expression = expression.replace(variable, text)
    result = query(expression)
    if not isinstance(result, list):
        failed.append((title, result))
    elif not result:
        empty.append(title)
equal(failed, [], "every query of the dashboard is one")
note(f"panels without a value just now: {sorted(set(empty))}")
check(set(empty) <= {"Left of what providers allow", "Keys that are left alone", "Breakers that are not closed"},
      "every panel has something to show where there is something", empty)
used = set(re.findall(r"\b(?:menshen|process)_[a-z_]+", " ".join(expression for _, expression in expressions)))
with open(f"{MONITORING}/menshen.rules.yml") as rules:
    used |= set(re.findall(r"\bmenshen_[a-z_]+(?=[{\[ ]|$)", rules.read()))
known = set(re.findall(r"^# TYPE (\S+)", page(metrics).body.decode(), re.M))
equal(sorted(name for name in used if re.sub(r"_bucket$", "", name) not in known), [], "no rule and no panel asks for what is not there")
with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/rules", timeout=10) as answer:
    rules = [rule for group in json.load(answer)["data"]["groups"] for rule in group["rules"]]
check(rules and all(rule["health"] in ("ok", "unknown") for rule in rules), "every rule can be evaluated", rules)
equal(len(query('ALERTS{alertname!="MenshenErrors"}')), 0, "nobody is alerted of what is in order")

equal(daemon.stop(), 0, "menshen stops")
done()
