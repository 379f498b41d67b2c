#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The checks that need a booted systemd. Runs as root in the container; `run` starts it.

  checks.py BINARY [PATTERN]   all of them, or those whose name contains PATTERN
"""

import glob
import http.client
import json
import os
import signal
import stat
import sys

import harness
import outage
from harness import check, done
from users import CLIENT, DROP_INS, UNITS, User, finish, install, losses, message_ids, run, wait

alice, bob = User("alice"), User("bob")


def modes():
    """the socket is private"""
    for path, expected in ((alice.socket, 0o600), (os.path.dirname(alice.socket), 0o700)):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        check(mode == expected, f"{path} has mode 0{expected:o}", f"0{mode:o}")
        check(os.stat(path).st_uid == alice.uid, f"{path} belongs to alice")


def key():
    """the key is injected"""
    result = alice.call("one", "Authorization=Bearer not-a-key", "x-api-key=not-a-key", "Cookie=a=b")
    check(alice.saw(result) == alice.digest, "alice's request reaches the provider with alice's key", result)
    if result.get("status") == 200:
        check(json.loads(result["body"])["saw"]["others"] == [], "none of the caller's own credentials goes along",
              result)
    check(bob.answers(), "bob's request reaches the provider with bob's key")
    check(0 < alice.pid != bob.pid > 0, "alice and bob have an instance each", f"{alice.pid} {bob.pid}")
    result = as_root()
    check(result.get("status") == 200, "root may use alice's socket", result)


def as_root():
    return json.loads(run("python3", "-B", CLIENT, "one", alice.socket).stdout)


def strangers():
    """bob is refused on alice's socket"""
    def knock():
        return json.loads(bob.run("python3", "-B", CLIENT, "raw", alice.socket).stdout)
    result = knock()
    check(result.get("error", "").startswith("PermissionError"), "bob cannot connect to alice's socket", result)
    opened = [(alice.runtime, 0o711), (os.path.dirname(alice.socket), 0o711), (alice.socket, 0o666)]
    for path, mode in opened:
        os.chmod(path, mode)
    result = knock()
    check(result == {"connected": True, "bytes": ""}, "with the modes opened bob is cut off before any HTTP", result)
    for path, mode in ((alice.runtime, 0o700), (os.path.dirname(alice.socket), 0o700), (alice.socket, 0o600)):
        os.chmod(path, mode)
    wanted = f"MESSAGE_ID={message_ids()['Another user tried to use this menshen']}"
    entries = wait(lambda: alice.journal(wanted))
    check(bool(entries), "the attempt is in alice's journal")
    if entries:
        check(entries[-1].get("MENSHEN_CALLER_UID") == str(bob.uid), "the entry names bob's uid", entries[-1])
    check(alice.answers(), "alice is served as before")


def restarts():
    """restarts and reloads lose nothing"""
    alice.answers()
    load, pids = alice.start("load"), set()
    stream = alice.stream()
    for number in range(6):
        result = alice.systemctl("restart", "menshen.service")
        check(result.returncode == 0, f"restart {number + 1}", result.stderr)
        pids.add(alice.pid)
        if number == 0:
            whole = finish(stream)
            check(whole.get("whole") is True, "a stream under way during a restart ends whole", whole)
    check(len(pids) == 6, "each restart made a new process", pids)
    stream, before = alice.stream(), alice.pid
    for number in range(6):
        result = alice.systemctl("reload", "menshen.service")
        check(result.returncode == 0, f"reload {number + 1}", result.stderr)
    check(alice.pid == before, "a reload keeps the process")
    for verb in ("daemon-reload", "daemon-reexec"):
        check(alice.systemctl(verb).returncode == 0, f"systemctl --user {verb}")
    whole = finish(stream)
    check(whole.get("whole") is True, "a stream under way during reloads ends whole", whole)
    totals = finish(load)
    print(f"# load: {totals}")
    check(not losses(totals), "no request was refused, reset or cut short", losses(totals))
    check(totals.get("ok", 0) > 200, "new connections were made all the time", totals)
    check(totals.get("kept", 0) > 100, "kept connections were used all the time", totals)


def idle():
    """idle exits lose nothing"""
    alice.configure(idle_exit="1s")
    alice.systemctl("restart", "menshen.service")
    check(wait(lambda: alice.show("ActiveState") == "inactive"), "an idle menshen exits by itself",
          alice.show("ActiveState"))
    check(alice.show("Result") == "success", "an idle exit is a success", alice.show("Result"))
    check(stat.S_ISSOCK(os.stat(alice.socket).st_mode), "the socket stays when the service is gone")
    whole = finish(alice.stream())
    check(whole.get("whole") is True, "a stream longer than idle_exit ends whole", whole)
    totals = finish(alice.start("gaps", 24))
    print(f"# bursts: {totals}")
    check(totals == {"ok": 72}, "72 requests around idle exits are all answered", totals)
    wanted = f"MESSAGE_ID={message_ids()['menshen is serving']}"
    starts = {entry.get("_PID") for entry in alice.journal(wanted, "--since=-60s")}
    check(len(starts) >= 6, "several processes served them", starts)
    check(alice.show("ActiveState", "menshen.socket") == "active", "the socket unit has not failed")
    alice.configure()
    alice.systemctl("restart", "menshen.service")


def journal():
    """the journal tells what happened"""
    alice.answers()
    entries = wait(lambda: alice.journal("MENSHEN_STATUS=200"))
    check(bool(entries), "journalctl --user MENSHEN_STATUS=200 finds requests")
    if entries:
        missing = [name for name in ("MESSAGE_ID", "MENSHEN_REQUEST_ID", "MENSHEN_END_STATE", "MENSHEN_PROVIDER",
                                     "MENSHEN_CALLER_UID", "_SYSTEMD_USER_UNIT") if name not in entries[-1]]
        check(not missing, "each entry has its fields", f"{missing} not in {sorted(entries[-1])}")
        check(entries[-1].get("MENSHEN_CALLER_UID") == str(alice.uid), "and names the caller")
    text = alice.run("journalctl", "--user", "-x", "--no-pager", "-n", "1",
                     f"MESSAGE_ID={message_ids()['menshen is serving']}").stdout
    check("Subject: menshen is serving" in text and alice.socket in text and "@MENSHEN_" not in text,
          "journalctl -x explains an entry, with its fields filled in", text)
    others = bob.run("journalctl", "--no-pager", "-o", "json", f"_UID={alice.uid}").stdout
    check("MENSHEN_" not in others, "bob cannot read alice's entries")


def callers():
    """callers are named, dead ones are not"""
    def latest():
        return alice.journal("MENSHEN_STATUS=200")
    before = len(latest())
    alice.answers()
    entries = wait(lambda: latest()[before:])
    check(bool(entries) and "python3" in entries[-1].get("MENSHEN_CALLER_EXE", ""),
          "an entry names the caller's program", entries)
    before, pid = len(latest()), alice.pid
    # While menshen stands still the connecting process ends, and its child keeps the connection.
    os.kill(pid, signal.SIGSTOP)
    caller = alice.start("orphan")
    wait(lambda: caller.poll() is not None)
    os.kill(pid, signal.SIGCONT)
    result = finish(caller)
    check(result.get("status") == 200, "a request whose connector is gone is answered", result)
    entries = wait(lambda: latest()[before:])
    check(bool(entries) and not {"MENSHEN_CALLER_EXE", "MENSHEN_CALLER_UNIT"} & set(entries[-1]),
          "its entry names no program and no unit", entries)


def recorded():
    """rows say who called"""
    # systemd makes $$ of $$$$, and the shell its own process id, which the program that it becomes keeps.
    command = ["sh", "-c", f"echo $$$$; exec python3 -B {CLIENT} one {alice.socket}"]
    scoped = ["sh", "-c", f"echo $$; exec python3 -B {CLIENT} one {alice.socket}"]
    # A control group of its own making that looks like a unit's.
    nested = ["sh", "-c", "cg=/sys/fs/cgroup$$(cut -d: -f3 /proc/self/cgroup)/a.slice/trusted.service; mkdir -p $$cg; "
              f"echo $$$$ >$$cg/cgroup.procs; {command[2]}"]
    python = os.path.realpath("/usr/bin/python3")
    for what, user, unit, program, arguments in (
            ("a service of alice", alice, "check-caller.service", python,
             ["--user", "--wait", "--pipe", "--collect", "--unit=check-caller", *command]),
            ("a scope of alice", alice, "check-caller.scope", python,
             ["--user", "--scope", "--collect", "--unit=check-caller", *scoped]),
            ("a control group that calls itself a unit", alice, "check-caller.service", python,
             ["--user", "--wait", "--pipe", "--collect", "--unit=check-caller", "-p", "Delegate=yes", *nested]),
            # Root's program is not for alice's menshen to see.
            ("a service of root", None, "check-root.service", None,
             ["--wait", "--pipe", "--collect", "--unit=check-root", *command])):
        result = (user.run if user else run)("systemd-run", "--quiet", *arguments)
        pid = result.stdout.split("\n")[0]
        check('"status": 200' in result.stdout, f"{what} is answered", result)
        rows = wait(lambda: run(
            "sqlite3", "-json", f"{alice.state}/menshen.db",
            f"SELECT caller_uid, caller_exe, caller_unit FROM requests WHERE caller_pid = {int(pid)}").stdout.strip(), 5)
        expected = [{"caller_uid": user.uid if user else 0, "caller_exe": program, "caller_unit": unit}]
        check(rows and json.loads(rows) == expected, f"its row names uid, process, program and unit: {unit}", rows)


def broken():
    """a broken configuration takes nothing down"""
    alice.answers()
    before = alice.pid
    alice.break_configuration()
    result = alice.systemctl("reload", "menshen.service")
    check(result.returncode != 0, "reload of a broken configuration fails")
    check(alice.answers(), "and the old one serves on")
    alice.systemctl("kill", "--kill-whom=main", "-s", "HUP", "menshen.service")
    fault = message_ids()["menshen keeps its old configuration, the new one has a fault"]
    check(bool(wait(lambda: alice.journal(f"MESSAGE_ID={fault}"))), "a bare SIGHUP says so in the journal")
    check(alice.answers() and alice.pid == before, "and changes nothing")
    alice.systemctl("restart", "menshen.service")
    result = alice.call("one")
    check(result.get("status") == 503, "started with it, menshen answers 503", result)
    check("config.toml" in result.get("body", ""), "and says where the fault is", result)
    check("config" in alice.show("StatusText"), "so does systemctl status", alice.show("StatusText"))
    alice.configure()
    before = alice.pid
    check(alice.systemctl("reload", "menshen.service").returncode == 0, "after the fix a reload succeeds")
    check(alice.answers() and alice.pid == before, "and the same process serves")


def crash_loop():
    """a crash loop is survived"""
    alice.drop_in("[Service]\nExecStart=\nExecStart=/bin/false\n")
    alice.systemctl("stop", "menshen.service")
    waiting = alice.start("one")
    check(wait(lambda: int(alice.show("NRestarts") or 0) >= 4, 20), "the service crashes again and again",
          alice.show("NRestarts"))
    check(alice.show("ActiveState", "menshen.socket") == "active", "its socket stays")
    alice.drop_in("")
    result = finish(waiting)
    check(alice.saw(result) == alice.digest, "whoever waited is served once it works", result)


def killed():
    """a killed process loses only what was under way"""
    load, lost = alice.start("load"), None
    wait(lambda: alice.answers())
    before = alice.pid
    alice.systemctl("kill", "-s", "KILL", "menshen.service")
    check(wait(lambda: alice.pid not in (0, before) and alice.answers()), "a new process serves")
    lost = losses(finish(load))
    print(f"# lost: {lost}")
    refused = [name for name in lost if "Refused" in name or "NotFound" in name or name.startswith("status")]
    check(not refused, "nobody is refused meanwhile", lost)
    check(sum(lost.values()) <= 6, "six callers lose at most a request each", lost)
    text = run("sqlite3", f"{alice.state}/menshen.db", "PRAGMA integrity_check").stdout.strip()
    check(text == "ok", "the database is whole", text)


def full_disk():
    """what only the journal has comes into the database"""
    outage.full_disk(alice)


def volatile():
    """a journal that cannot be read back is said"""
    outage.volatile(alice)


def secrets():
    """the key is nowhere else"""
    alice.answers()
    pid = alice.pid
    for name in ("environ", "mem", "maps"):
        denied = alice.run("head", "-c", "1", f"/proc/{pid}/{name}")
        check("Permission denied" in denied.stderr, f"alice's other programs cannot read /proc/PID/{name}",
              denied.stderr)
    for name in ("environ", "cmdline"):
        with open(f"/proc/{pid}/{name}", "rb") as file:
            check(b"sk-canary" not in file.read(), f"no key in /proc/PID/{name}")
    with open(f"/proc/{pid}/limits") as file:
        core = next(line for line in file if line.startswith("Max core"))
    check(core.split()[4:6] == ["0", "0"], "no core file may be written", core)
    alice.drop_in("[Service]\nLimitCORE=infinity\n")
    alice.systemctl("restart", "menshen.service")
    alice.answers()
    alice.systemctl("kill", "-s", "ABRT", "menshen.service")
    check(wait(lambda: alice.pid not in (0, pid) and alice.answers()), "it comes back after an abort")
    cores = [p for d in (alice.home, alice.state, "/", "/tmp", "/var/tmp", "/var/lib/systemd/coredump")
             for p in glob.glob(f"{d}/*core*") if os.path.isfile(p)]
    check(not cores, "no core file, even with LimitCORE= raised", cores)
    alice.drop_in("")
    run("journalctl", "--sync")
    text = run("journalctl", "--no-pager", "-o", "export", "-a").stdout
    check("MENSHEN_STATUS" in text, "the whole journal can be searched")
    check("sk-canary" not in text, "no key in the journal")
    files = [p for user in (alice, bob) for p in glob.glob(f"{user.state}/**", recursive=True) if os.path.isfile(p)]
    leaks = [path for path in files if b"sk-canary" in open(path, "rb").read()]
    check(bool(files) and not leaks, "no key in the state directory", leaks or "nothing there")
    modes = {path: oct(stat.S_IMODE(os.stat(path).st_mode)) for path in files}
    check(set(modes.values()) == {"0o600"}, "its files are private", modes)
    check(stat.S_IMODE(os.stat(alice.state).st_mode) == 0o700, "and so is the directory")


def tcp():
    """TCP asks for a token"""
    alice.configure(extra='[auth]\ntoken = "tok-check-1"\n')
    alice.systemctl("stop", "menshen.service")
    check(alice.systemctl("start", "menshen-tcp.socket").returncode == 0, "the TCP socket starts",
          alice.systemctl("status", "menshen-tcp.socket").stdout)

    def ask(headers, host="127.0.0.1:8080"):
        connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=20)
        try:
            connection.request("POST", "/v1/chat/completions", '{"model":"test","messages":[]}',
                               {"Content-Type": "application/json", "Host": host, **headers})
            return connection.getresponse().status
        except OSError as error:
            return repr(error)
    token = {"Authorization": "Bearer tok-check-1"}
    for expected, sentence, headers, host in (
            ([401], "without a token it is refused", {}, "127.0.0.1:8080"),
            ([401], "with a wrong one too", {"Authorization": "Bearer tok-check-2"}, "127.0.0.1:8080"),
            ([200], "with the token it is answered", token, "127.0.0.1:8080"),
            ([403, 421], "a foreign Host is refused", token, "example.com"),
            ([400, 403, 421], "an empty Host is refused", token, ""),
            ([403], "a foreign Origin is refused", {**token, "Origin": "http://example.com"}, "127.0.0.1:8080")):
        status = ask(headers, host)
        check(status in expected, sentence, status)
    check(alice.answers(), "the Unix socket needs none")
    alice.systemctl("stop", "menshen-tcp.socket", "menshen.service")
    alice.configure()


def children():
    """key commands inherit nothing"""
    alice.write(f"{alice.home}/key-command", "#!/bin/sh\nls /proc/self/fd > ~/command.fds\nenv > ~/command.env\n"
                f"cat {alice.home}/.config/menshen/key\n", 0o700)
    alice.write(alice.configuration, f"""\
[[providers]]
name = "local"
kind = "openai"
base_url = "http://127.0.0.1:9001/v1"
api_key_command = ["{alice.home}/key-command"]
""")
    alice.systemctl("restart", "menshen.service")
    check(alice.answers(), "a key command's key is used")
    try:
        with open(f"{alice.home}/command.fds") as file:
            # The fourth is that of ls itself, reading the directory.
            check(file.read().split() == ["0", "1", "2", "3"], "it gets three descriptors")
        with open(f"{alice.home}/command.env") as file:
            names = [line.split("=")[0] for line in file]
        bad = [name for name in names if name.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_"))]
        check(not bad, "and none of systemd's variables", bad)
    except OSError as error:
        check(False, "the key command ran", error)
    alice.configure()
    alice.systemctl("restart", "menshen.service")


def units():
    """the units are sound"""
    for name in sorted(os.listdir(UNITS)):
        result = alice.run("systemd-analyze", "--user", "verify", "--man=no", f"/usr/lib/systemd/user/{name}")
        check(result.stdout + result.stderr == "", f"systemd-analyze verify is silent about {name}", result.stderr)
    with open(f"{DROP_INS}/sandbox.conf") as file:
        alice.drop_in(file.read())
    alice.systemctl("restart", "menshen.service")
    check(alice.answers(), "it serves inside the sandbox drop-in")
    with open(f"/proc/{alice.pid}/mounts") as file:
        root = next(line.split() for line in file if line.split()[1] == "/")
    check("ro" in root[3].split(","), "where the file system is read-only", root)
    result = as_root()
    check("error" in result, "and uid 65534, as which root appears there, is refused", result)
    alice.drop_in("")
    # Restarts alice's user manager, as a host without unprivileged user namespaces would run it.
    os.makedirs("/etc/systemd/system/user@.service.d", exist_ok=True)
    with open("/etc/systemd/system/user@.service.d/check.conf", "w") as file:
        file.write("[Service]\nRestrictNamespaces=~user\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", f"user@{alice.uid}.service")
    check(alice.answers(), "the plain unit serves where user namespaces are forbidden")


def main(pattern):
    for user in (alice, bob):
        user.configure()
    install()
    for user in (alice, bob):
        user.systemctl("daemon-reload")
        result = user.systemctl("enable", "--now", "menshen.socket")
        check(result.returncode == 0, f"{user.name} enables the socket", result.stderr)
    for part in (modes, key, strangers, restarts, idle, journal, callers, recorded, broken, crash_loop, killed, full_disk,
                 volatile, children, tcp, secrets, units):
        if pattern in part.__name__ or pattern in part.__doc__:
            print(f"# {part.__doc__}", flush=True)
            try:
                part()
            except Exception as error:
                check(False, part.__doc__, repr(error))
    print(f"{harness.passes} passed, {harness.failures} failed")
    done()


main(sys.argv[2] if len(sys.argv) > 2 else "")
