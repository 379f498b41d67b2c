# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Reports of a made-up database: sums against SQL, what a terminal shows, and the manual's transcripts.

MENSHEN_WRITE_MANUAL=1 writes the transcripts into the manual in place of comparing them.
"""

import csv
import fcntl
import io
import json
import os
import pty
import re
import shlex
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import termios

from harness import BINARY, KEY, PATIENCE, Daemon, ask, check, children, done, equal, identity, place, shown, wait, write
from upstream import Upstream

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANUALS = [f"{ROOT}/contrib/manual/{name}.md" for name in ("usage", "questions")]
# 2026-11-27 14:36:08 in Berlin.
NOW = 1795786568
DOLLAR = 10**12

upstream = Upstream()
home = place()
CONFIGURATION = f"""\
[[providers]]
name = "anthropic"
kind = "anthropic"
base_url = "{upstream.url}"
api_key = "{KEY}"
prices = "anthropic"

[limits]
timezone = "Europe/Berlin"
"""
daemon = Daemon(home, CONFIGURATION)
env = dict(daemon.env, LANG="C.UTF-8", TERM="xterm", TZ="UTC", NO_COLOR="1")
equal(daemon.stop(), 0, "a menshen makes the database")
subprocess.run([sys.executable, f"{ROOT}/contrib/bench/records.py", daemon.database, "--rows", "40000", "--days", "31",
                "--until", str(NOW)], check=True, stdout=subprocess.DEVNULL)
database = sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)
FAKETIME = ["faketime", "-f", "@2026-11-27 13:36:08"]


def menshen(*arguments, code=0, stdin=None):
    """Into pipes, at that clock."""
    process = subprocess.run([*FAKETIME, BINARY, *arguments, "--config", daemon.config], cwd=home, env=env,
                             capture_output=True, timeout=PATIENCE, input=stdin, **identity())
    equal(process.returncode, code, f"{' '.join(arguments)} ends with {code}")
    return process.stdout.decode(), process.stderr.decode()


def transcript(command, columns=80):
    """What a terminal of that width shows."""
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    words = shlex.split(command)
    process = subprocess.Popen([*FAKETIME, BINARY, *words[1:], "--config", daemon.config], cwd=home, env=env, stdin=subprocess.DEVNULL,
                               stdout=theirs, stderr=theirs, **identity())
    children.append(process)
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(mine, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    process.wait(PATIENCE)
    os.close(mine)
    return text.decode().replace("\r\n", "\n").rstrip("\n")


# Sums are those of SQL, to the picodollar.
TODAY = 1795734000
def sql(key, since, until, where="1"):
    return {row[0]: row[1:] for row in database.execute(f"""
        SELECT {key}, sum(count), sum(CASE WHEN status >= 400 OR end_state NOT IN ('complete', 'client_gone', 'open') THEN count ELSE 0 END),
        coalesce(sum(input_total), 0), coalesce(sum(output_total), 0), coalesce(sum(cost), 0),
        sum(usage_state = 'unknown') FROM requests WHERE id >= {since * 10**6 << 10} AND id < {until * 10**6 << 10} AND {where} GROUP BY 1""")}


def table(*arguments):
    return json.loads(menshen("usage", "--json", *arguments)[0])


def sums(rows, name):
    return {row[name]: (row["requests"], row["failed"], row["input_total"], row["output_total"], int(row["cost"]), row["usage_unknown"])
            for row in rows}


for name, key in [("model", "coalesce(model, answer_model)"), ("provider", "provider"), ("client", "client"), ("project", "caller_project"),
                  ("caller", "coalesce(token_name, 'uid:' || caller_uid)"), ("session", "session"), ("outcome", "end_state")]:
    equal(sums(table("--by", name, "--since", "7d")["rows"], name), sql(key, TODAY - 7 * 86400, NOW), f"by {name}, sums are those of SQL")
equal({row["model"]: (int(row["saved"]), row["saved_unknown"]) for row in table("--by", "model", "--since", "30d")["rows"]},
      {row[0]: row[1:] for row in database.execute(f"""SELECT coalesce(model, answer_model), coalesce(sum(saved), 0),
          sum(saved IS NULL AND coalesce(cache_read, 0) > 0 AND cost_state <> 'none') FROM requests
          WHERE id >= {(TODAY - 30 * 86400) * 10**6 << 10} GROUP BY 1""")}, "what caches saved, too")
equal({(row["caller"], row["project"]): (row["requests"], int(row["cost"])) for row in table("--by", "caller,project", "--since", "7d")["rows"]},
      {row[:2]: row[2:] for row in database.execute(f"""SELECT coalesce(token_name, 'uid:' || caller_uid), caller_project, sum(count),
          coalesce(sum(cost), 0) FROM requests WHERE id >= {(TODAY - 7 * 86400) * 10**6 << 10} GROUP BY 1, 2""")}, "by two at once")
FAILED = "(status >= 400 OR end_state NOT IN ('complete', 'client_gone', 'open'))"
for options, where in [
        (["--end", "failed", "--end", "client_gone"], f"({FAILED} OR end_state = 'client_gone')"),
        (["--end", "refused", "--end", "failed", "--model", "gpt-*"], f"{FAILED} AND model LIKE 'gpt-%'"),
        (["--program", "codex", "--program", "/usr/bin/claude"], "(client = 'codex' OR caller_exe = '/usr/bin/claude')"),
        (["--status", "200", "--status", "5xx"], "(status = 200 OR status BETWEEN 500 AND 599)")]:
    equal(sums(table("--by", "outcome", "--since", "7d", *options)["rows"], "outcome"),
          sql("end_state", TODAY - 7 * 86400, NOW, where), f"{' '.join(options)}: values of one filter are alternatives")

# Windows of five hours are the same wherever the time asked for begins.
windows = {row["start"]: row for row in table("--blocks", "--provider", "anthropic", "--since", "20d")["rows"]}
for since in ["19d", "100h", "37h", "2026-11-25T11:11", "4h", "1h"]:
    rows = table("--blocks", "--provider", "anthropic", "--since", since)["rows"]
    equal(rows, [windows[row["start"]] for row in rows], f"windows since {since} are those since 20 days")
    equal([row["is_current"] for row in rows].count(True), 1, "one of them is now")
filtered = table("--by", "caller", "--model", "*opus*", "--since", "7d", "--end", "failed")
equal(sums(filtered["rows"], "caller"),
      sql("coalesce(token_name, 'uid:' || caller_uid)", TODAY - 7 * 86400, NOW,
          "model LIKE '%opus%' AND (status >= 400 OR end_state NOT IN ('complete', 'client_gone', 'open'))"),
      "with filters too")
days = table()
equal((days["schema"], days["timezone"], len(days["rows"])), ("menshen.usage.v1", "Europe/Berlin", 7), "seven days, in the configuration's zone")
equal([row["requests"] for row in days["rows"]],
      [sum(row[0] for row in sql("1", TODAY - back * 86400, min(NOW, TODAY - (back - 1) * 86400)).values()) for back in range(6, -1, -1)],
      "and each begins at midnight in Berlin")
text, notes = menshen("usage", "--csv", "--by", "model")
rows = list(csv.DictReader(io.StringIO(text)))
equal({row["model"]: row["cost"] for row in rows}, {row["model"]: row["cost"] for row in table("--by", "model")["rows"]}, "CSV says the same")
text, notes = menshen("usage", "--by", "model")
check("\x1b" not in text and "█" not in text and "…" not in text, "into a pipe there is no colour, no bar, and nothing is cut")
check("not in the sums" in notes and "not in the sums" not in text, "notes are on standard error")
check("$" not in menshen("usage", "--no-cost")[0], "--no-cost leaves out money")
text, notes = menshen("usage", "--by", "model", "--since", "30d")
check("without a price" in notes and "≥" in text, "what has no price makes a sum a lower bound")

# What is wrong is said.
for arguments, word in [(["--by", "modle"], "'model'"), (["--by", "caller,modle"], "'model'"), (["--by", "caller,day"], "caller,project"),
                        (["--by", "model,model"], "caller,project"), (["--by", "caller,model,project"], "caller,project"),
                         (["--since", "soon"], "7d, 24h"), (["--timezone", "Mars/Base"], "Europe/Berlin"),
                        (["--end", "dead"], "truncated"), (["--status", "4x"], "4xx"), (["--top", "3"], "--since"),
                        (["--by", "hour", "--since", "2026-01-01"], "--by day"), (["--since", "2027-01-01"], "before")]:
    check(word in menshen("usage", *arguments, code=64)[1], f"usage {' '.join(arguments)} names what to say")
check("no records" in menshen("usage", "--database", f"{home}/none.db", code=69)[1], "no database is a clear fault")
with open(f"{home}/text.db", "w") as file:
    file.write("no database\n" * 100)
check("can't be read" in menshen("usage", "--database", f"{home}/text.db", code=69)[1], "a file that is none, too")

directory = f"{home}/odd"
os.mkdir(directory)
check("Name the file in it" in menshen("usage", "--database", directory, code=69)[1], "a directory in its place is told as one")
open(f"{directory}/empty.db", "w").close()
check("is empty" in menshen("export", "--database", f"{directory}/empty.db", code=69)[1], "a file without anything, too")
shutil.copy(daemon.database, f"{directory}/copy.db")
os.chmod(f"{directory}/copy.db", 0o600)
for path in (directory, f"{directory}/copy.db"):
    shutil.chown(path, **({"user": identity()["user"], "group": identity()["group"]} if identity() else {"user": os.getuid()}))
os.chmod(directory, 0o500)
check("may not write" in menshen("logs", "--database", f"{directory}/copy.db", code=69)[1], "a directory that can't be written to says so")
os.chmod(directory, 0)
check("enter the directories" in menshen("usage", "--database", f"{directory}/copy.db", code=69)[1], "one that can't be entered, too")
os.chmod(directory, 0o700)
os.chmod(f"{directory}/copy.db", 0)
check("chmod 600" in menshen("audit", "head", "--database", f"{directory}/copy.db", code=69)[1], "and a file that can't be read")

# Rows that are known to be missing are told of where sums are shown.
with sqlite3.connect(daemon.database) as writable:
    writable.execute("INSERT INTO gaps VALUES (?, ?, 34, 'disk full')", ((TODAY - 86400 + 11520) * 10**6, (TODAY - 86400 + 16860) * 10**6))
writable.close()
for command in ("usage", "usage --by model"):
    check("! 34 requests may be missing, from Thu 26 03:12 to 04:41 (disk full)" in " ".join(transcript(f"menshen {command}", 120).split()),
          f"{command} says what may be missing")
check("Thu 26 !" in transcript("menshen usage"), "and marks the day")
check("may be missing" not in transcript("menshen usage --since today"), "another time has nothing of it")
equal((table()["missing"], table("--since", "today")["missing"]), (34, 0), "JSON has the number")
with sqlite3.connect(daemon.database) as writable:
    writable.execute("DELETE FROM gaps")
writable.close()

# The log.
ids = [row[0] for row in database.execute("SELECT id FROM requests ORDER BY id DESC LIMIT 30")]
lines = [json.loads(line) for line in menshen("logs", "-n", "30", "--json")[0].splitlines()]
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
def number(text):
    value = 0
    for digit in text:
        value = value << 5 | ALPHABET.index(digit)
    return value
equal([number(line["id"]) for line in lines], ids[::-1], "logs shows the newest, the newest last")
rare = [json.loads(line) for line in menshen("logs", "-n", "500", "--json", "--model", "gpt-6.3-preview", "--end", "failed")[0].splitlines()]
equal([number(line["id"]) for line in rare],
      [row[0] for row in database.execute("""SELECT id FROM requests WHERE model = 'gpt-6.3-preview' AND
          (status >= 400 OR end_state NOT IN ('complete', 'client_gone', 'open')) ORDER BY id DESC LIMIT 500""")][::-1],
      "a rare filter finds all of them")
check("no such requests" in menshen("logs", "--model", "nothing")[1], "and nothing is said to be nothing")

# The journal: files in a directory are named as another host's are.
remote = f"{home}/remote"
os.mkdir(remote)
os.chmod(remote, 0o755)
check("group systemd-journal" in menshen("logs", "--journal-directory", remote, code=69)[1], "a directory without journal files is a clear fault")
check("can't be read" in menshen("logs", "--journal-directory", f"{remote}/none", code=69)[1], "one that is not there, too")
MAKER = "/lib/systemd/systemd-journal-remote"
if os.path.exists(MAKER):
    told = {"SYSLOG_IDENTIFIER": "menshen", "MENSHEN_METHOD": "POST", "MENSHEN_PATH": "/v1/messages", "MENSHEN_DIALECT": "anthropic",
            "MENSHEN_OPERATION": "chat", "MENSHEN_STREAM": "0", "MENSHEN_MODEL": "claude-\x1b[2J", "MENSHEN_END_STATE": "complete",
            "MENSHEN_STATUS": "200", "MENSHEN_ATTEMPTS": "1", "MENSHEN_TOTAL_US": "1500000", "MENSHEN_TOKEN_NAME": "far"}
    export = ""
    for count, name in enumerate(["1k188fc9kfg10", "1k188fc9kfg20"]):
        fields = {"__REALTIME_TIMESTAMP": 1795786000 * 10**6 + count, "__MONOTONIC_TIMESTAMP": 1000 + count, "_BOOT_ID": "0" * 31 + "1",
                  **told, "MENSHEN_REQUEST_ID": name}
        export += "".join(f"{field}={value}\n" for field, value in fields.items()) + "\n"
    subprocess.run([MAKER, f"--output={remote}/host.journal", "-"], input=export.encode(), check=True, capture_output=True)
    os.chmod(f"{remote}/host.journal", 0o644)
    lines = menshen("logs", "--journal-directory", remote, "--json")[0].splitlines()
    equal([json.loads(line)["id"] for line in lines], ["1k188fc9kfg10", "1k188fc9kfg20"], "another host's requests are listed")
    text = menshen("logs", "--journal-directory", remote, "--caller", "far", "-n", "1")[0]
    check("Complete" in text and "\x1b" not in text and "1k188fc9kfg20" in text, "and look as those of the records", text)
    check("no such requests" in menshen("logs", "--journal-directory", remote, "--caller", "near")[1], "filters hold for them")

# One request.
newest = json.loads(menshen("show", "last", "--json")[0])
equal((number(newest["id"]), len(newest["attempts_made"])), (ids[0], 1), "show last is the newest, with its attempt")
check(newest["id"] in menshen("show", newest["id"][:12])[0], "the beginning of an id is enough")
check("no record" in menshen("show", "0000000000001", code=1)[1], "an id without a record ends with 1")
failed = json.loads(menshen("show", "failed", "--json")[0])
check(failed["status"] >= 400 or failed["end_state"] not in ("complete", "client_gone", "open"), "show failed has failed")
check("log_response_body" in menshen("show", "last", "--response", code=1)[1], "a body that is not kept names the setting")

# Roll-ups are only quicker: without them the answers are the same.
before = table("--by", "session", "--since", "30d")
check(os.path.exists(daemon.database + "-reports"), "roll-ups stand beside the database")
os.unlink(daemon.database + "-reports")
os.chmod(os.path.dirname(daemon.database), 0o500)
equal(table("--by", "session", "--since", "30d"), before, "a directory that can't be written to changes nothing")
os.chmod(os.path.dirname(daemon.database), 0o700)

# Terminals.
for columns in (40, 80, 120):
    for command in ("usage", "usage --by project", "usage --sessions", "logs -n 10", "usage --blocks", "usage --unpriced", "show last"):
        wide = [line for line in transcript(f"menshen {command}", columns).split("\n") if len(line) > columns]
        # A word that is longer than the terminal stays whole.
        wide = [line for line in wide if max(len(word) for word in line.split()) < columns and "x-menshen" not in line]
        if columns > 40 or command.startswith("usage --by"):
            equal(wide, [], f"{command} fits {columns} columns")
plain = subprocess.run([*FAKETIME, BINARY, "usage", "--config", daemon.config, "--width", "80"], cwd=home, env=dict(env, LANG="C", LC_ALL="C"),
                       capture_output=True, **identity()).stdout
check(plain and all(byte < 128 for byte in plain), "with the C locale all of it is ASCII")

# A prompt is never broken.
equal(menshen("statusline", "--database", f"{home}/none.db")[0], "\n", "statusline without records is an empty line")
line = menshen("statusline", "--session", "-", stdin=json.dumps({"session_id": newest["session"] or "none"}).encode())[0]
check(" today" in line and line.count("\n") == 1, "statusline is one line")

# A token may be named as a user is.
with sqlite3.connect(daemon.database) as writable:
    for place, (token, uid) in enumerate([("root", 4242), (None, 0), ("other", 0)]):
        writable.execute("""INSERT INTO requests (id, token_name, caller_uid, end_state, status, attempts, count, caller_pid)
            VALUES (?, ?, ?, 'complete', 200, 1, 1, 424242)""", ((NOW - 60) * 10**6 << 10 | place, token, uid))
writable.close()
equal(sums(table("--by", "caller", "--since", "1h", "--caller", "root")["rows"], "caller").keys(), {"root", "uid:0"},
      "--caller finds what the token and what the user of that name have asked")

# Hostile names.
daemon.start()
for model in ["\u001b[2Jclear", "\u202egnitset", "<b>&'\"", "=cmd|' /C calc'!A0", "x" * 300, ""]:
    answer = ask(daemon.socket, body=json.dumps({"model": model, "messages": [], "max_tokens": 5}).encode(), path="/v1/messages")
    daemon.row(answer.id)
follow = subprocess.Popen([BINARY, "logs", "-f", "-n", "1", "--config", daemon.config, "--json"], cwd=home, env=env, stdout=subprocess.PIPE,
                          **identity())
children.append(follow)
first = json.loads(follow.stdout.readline())
answer = ask(daemon.socket, body=b'{"model": "followed", "messages": [], "max_tokens": 5}', path="/v1/messages")
equal(json.loads(follow.stdout.readline())["id"], answer.id, "logs -f shows a request once it has ended")
# One that is dated in the future, and of a model that is asked for rarely.
future = subprocess.Popen([BINARY, "logs", "-f", "-n", "1", "--model", "rare", "--config", daemon.config, "--json"], cwd=home, env=env,
                          stdout=subprocess.PIPE, **identity())
children.append(future)
rare = ask(daemon.socket, body=b'{"model": "rare", "messages": [], "max_tokens": 5}', path="/v1/messages")
equal(json.loads(future.stdout.readline())["id"], rare.id, "a rare filter shows it")
daemon.row(rare.id)
with sqlite3.connect(daemon.database) as writable:
    writable.execute("UPDATE requests SET id = id + (86400 * 1000000 << 10) WHERE id = ?", (number(rare.id),))
writable.close()
rare = ask(daemon.socket, body=b'{"model": "rare", "messages": [], "max_tokens": 5}', path="/v1/messages")
equal(json.loads(future.stdout.readline())["id"], rare.id, "and what is dated in the future keeps none from being seen")
future.send_signal(signal.SIGINT)
future.wait(PATIENCE)
follow.send_signal(signal.SIGINT)
equal(follow.wait(PATIENCE), 0, "Ctrl-C is its usual end")
for command in ("logs -n 8", "show last", "usage --by model --since 2026-11-01"):
    process = subprocess.run([BINARY, *command.split(), "--config", daemon.config], cwd=home, env=env, capture_output=True, **identity())
    check(b"\x1b" not in process.stdout and "\u202e".encode() not in process.stdout, f"{command} passes no name's control characters on")
body = subprocess.run([BINARY, "usage", "--budgets", "--config", daemon.config, "--socket", daemon.socket], cwd=home, env=env,
                      capture_output=True, **identity()).stdout.decode()
check("There are no limits" in body, "--budgets without limits says how to set one")
daemon.stop()
write(daemon.config, CONFIGURATION + 'instance = ["5usd/day", "100requests/hour"]\n')
daemon.start()
body = subprocess.run([BINARY, "usage", "--budgets", "--config", daemon.config, "--socket", daemon.socket, "--width", "100"], cwd=home, env=env,
                      capture_output=True, **identity()).stdout.decode()
check("$5.00 a day" in body and "100 requests an hour" in body and "instance" in body, "--budgets shows limits", body)
rows = list(csv.DictReader(io.StringIO(subprocess.run(
    [BINARY, "usage", "--budgets", "--csv", "--config", daemon.config, "--socket", daemon.socket], cwd=home, env=env, capture_output=True,
    **identity()).stdout.decode())))
equal([(row["holder"], row["limit"], row["is_known"]) for row in rows],
      [("instance", "5usd/day", "true"), ("instance", "100 requests/hour", "true")], "--budgets --csv has them, too")
daemon.stop()

# The manual shows what is so: its transcripts are made here. The requests of the test above are no part of them.
database.close()
writable = sqlite3.connect(daemon.database)
for name in ("requests", "attempts"):
    if name == "requests":
        writable.execute("DELETE FROM requests WHERE caller_pid = 424242")
    writable.execute(f"DELETE FROM {name} WHERE {'id' if name == 'requests' else 'request_id'} >= {NOW * 10**6 << 10}")
writable.commit()
writable.close()
def made(match):
    command = match.group(1)
    return f"```text\n$ {command}\n{transcript(command)}\n```"


for path in MANUALS:
    with open(path) as file:
        manual = file.read()
    fresh = re.sub(r"```text\n\$ ([^\n]*)\n(?:(?!```).)*```", made, manual, flags=re.S)
    if os.environ.get("MENSHEN_WRITE_MANUAL"):
        with open(path, "w") as file:
            file.write(fresh)
        manual = fresh
    shown_commands = re.findall(r"```text\n\$ ([^\n]*)\n", manual)
    check(len(shown_commands) > 8, f"{os.path.basename(path)} has transcripts")
    blocks, fresh_blocks = (re.findall(r"```text\n(.*?)```", text, flags=re.S) for text in (manual, fresh))
    for command, old, new in zip(shown_commands, blocks, fresh_blocks):
        equal(old, new, f"the transcript of {command} is what it prints")
equal(len(re.findall(r"^## .*\?$", manual, flags=re.M)), 10, "ten questions have their answers")
done()
