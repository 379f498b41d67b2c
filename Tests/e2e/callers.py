# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Who called, as the records say it; and a gate that cannot be trusted keeps menshen from starting."""

import ctypes
import errno
import os
import shutil
import socket
import struct
import subprocess

from harness import *
from harness import libc
from upstream import Upstream

CURL = shutil.which("curl")
STRANGER = NOBODY - 1
upstream = Upstream()
CONFIGURATION = f"""\
[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "{KEY}"
"""
USER = NOBODY if IS_ROOT else os.getuid()


def call(target, who, cwd="/"):
    """curl as a process of its own; it, and the id of its request."""
    place = ["--unix-socket", target] if isinstance(target, str) else []
    port = "" if isinstance(target, str) else f":{target[1]}"
    process = subprocess.Popen(
        [CURL, "-sS", "-D", "-", "-o", "/dev/null", *place, f"http://localhost{port}/v1/chat/completions",
         "-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {TOKEN}", "-d", CHAT.decode()],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, **who)
    head = process.communicate(timeout=PATIENCE)[0].decode()
    names = [line.split(": ")[1].strip() for line in head.splitlines() if line.lower().startswith("x-menshen-request-id:")]
    return process, names[0] if names else head


def caller(row):
    return {name: row[name] for name in ("caller_uid", "caller_pid", "caller_exe", "peer_address")}


def records():
    daemon = Daemon(place(), f'[auth]\ntoken = "{TOKEN}"\n' + CONFIGURATION, tcp=True)
    if CURL:
        process, name = call(daemon.socket, identity())
        equal(caller(daemon.row(name)), {
            "caller_uid": USER, "caller_pid": process.pid, "caller_exe": os.path.realpath(CURL), "peer_address": "unix",
        }, "a row names uid, process and program of who called over the Unix socket")
        project = f"{daemon.home}/project"
        for path in (project, f"{project}/.git", f"{project}/src"):
            os.mkdir(path)
            own(path)
        # The first caller of a directory may be answered before its repository is found.
        names = [call(daemon.socket, identity(), f"{project}/src")[1] for _ in range(2)]
        row = daemon.row(names[-1])
        equal((row["client"], row["rule"], row["caller_project"]), ("curl", "unix", os.path.realpath(project)),
              "it names the client, the rule, and the repository that the caller works in")
        row = daemon.row(call(daemon.socket, identity(), "/tmp")[1])
        equal(row["caller_project"], None, "who works in none has none")
        _, name = call(("127.0.0.1", daemon.port), identity())
        row = caller(daemon.row(name))
        check(str(row.pop("peer_address")).startswith("127.0.0.1"), "over TCP it names the address", row)
        equal(set(row.values()), {None}, "and no process, which the kernel does not tell")
    else:
        skipped("the program that called", "there is no curl")
    if IS_ROOT:
        row = caller(daemon.row(daemon.ask().id))
        equal((row["caller_uid"], row["caller_pid"]), (0, os.getpid()), "root on a user's instance is served, and recorded as uid 0")
        stranger(daemon)
    else:
        skipped("root and strangers on a user's instance", "needs root")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def stranger(daemon):
    """With the modes out of the way, what is left is the gate."""
    for path, mode in ((daemon.home, 0o711), (f"{daemon.home}/run", 0o711), (daemon.socket, 0o666)):
        os.chmod(path, mode)
    before = len(upstream.calls)
    _, out = call(daemon.socket, {"user": STRANGER, "group": STRANGER, "extra_groups": []})
    check(out.startswith("curl: (") and "HTTP/" not in out, "another user is cut off without a word of HTTP", out)
    equal(len(upstream.calls), before, "and nothing of it reaches the provider")
    wait(lambda: "Refused uid" in daemon.stderr())
    check(f"Refused uid {STRANGER}" in daemon.stderr(), "the log names the uid", daemon.stderr()[-300:])
    equal(daemon.rows("SELECT count(*) AS n FROM requests WHERE caller_uid = ?", STRANGER)[0]["n"], 0, "there is no request to record")
    os.chmod(daemon.socket, 0o600)


def refuses(what, words, prepare=None, env={}, user=None):
    """Starting ends with 78 and a sentence, and nothing listens."""
    home = place()
    path = f"{home}/run/m.sock"
    config = write(f"{home}/config.toml", CONFIGURATION)
    who = identity() if user is None else {"user": user, "group": user, "extra_groups": []}
    if user is not None:
        for entry in (home, config):
            os.chown(entry, user, user)
    out = subprocess.run([BINARY, "serve", "--config", config, "--socket", path], cwd="/", env=environment(home, **env),
                         capture_output=True, timeout=PATIENCE, preexec_fn=prepare, **who)
    text = out.stderr.decode()
    equal(out.returncode, 78, f"{what}: it does not start")
    check(words in text and "menshen cannot tell who calls on the Unix socket" in text, f"{what}: and says why", text)
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(path)
        check(False, f"{what}: nobody can connect")
    except OSError as error:
        check(error.errno in (errno.ECONNREFUSED, errno.ENOENT), f"{what}: nobody can connect", error)


def deny_peercred():
    """A seccomp filter: getsockopt(_, SOL_SOCKET, SO_PEERCRED, …) fails with EPERM, all else is as ever."""
    number = {"x86_64": 55, "aarch64": 209}[os.uname().machine]
    load, equal_to, give = 0x20, 0x15, 0x06
    program = [
        (load, 0, 0, 0), (equal_to, 0, 5, number),
        (load, 0, 0, 16 + 8), (equal_to, 0, 3, socket.SOL_SOCKET),
        (load, 0, 0, 16 + 16), (equal_to, 0, 1, socket.SO_PEERCRED),
        (give, 0, 0, 0x00050000 | errno.EPERM), (give, 0, 0, 0x7FFF0000),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))

    class Program(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("lines", ctypes.c_void_p)]

    filter = Program(len(program), ctypes.addressof(code))
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(filter)) != 0:
        os._exit(90)


def everybody_is_root(home):
    """A library that makes the kernel name uid 0 for every peer, as a sandbox might; its path."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        return None
    source = write(f"{home}/peer.c", """\
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
int getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
    int code = syscall(SYS_getsockopt, fd, level, name, value, size);
    if (code == 0 && level == SOL_SOCKET && name == SO_PEERCRED) ((struct ucred *)value)->uid = 0;
    return code;
}
""")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", f"{home}/peer.so", source], check=True)
    os.chmod(home, 0o711)
    os.chmod(f"{home}/peer.so", 0o755)
    return f"{home}/peer.so"


def gate():
    refuses("the kernel does not tell the peer", "does not say who connects", deny_peercred)
    if not IS_ROOT:
        return skipped("a gate that lets everybody in", "needs root")
    refuses("menshen runs as the uid that stands for all unknown ones", "use another user", user=65534)
    library = everybody_is_root(place())
    if library:
        refuses("every peer shows as root", "shows menshen's own connection as uid 0", env={"LD_PRELOAD": library})
    else:
        skipped("a kernel that shows every peer as root", "there is no C compiler")


def taken_over():
    """Another program takes the socket's name: it is not ours to remove any more."""
    daemon = Daemon(place(), CONFIGURATION)
    os.unlink(daemon.socket)
    other = socket.socket(socket.AF_UNIX)
    other.bind(daemon.socket)
    other.listen()
    own(daemon.socket)
    inode = os.stat(daemon.socket).st_ino
    equal(daemon.stop(), 0, "SIGTERM ends a menshen whose socket's name was taken over")
    check(os.path.exists(daemon.socket) and os.stat(daemon.socket).st_ino == inode, "and it leaves the other's socket alone")
    second = run("serve", "--config", daemon.config, "--socket", daemon.socket, env=daemon.env)
    check(second.returncode == 78 and b"already" in second.stderr, "the next start says that the name is in use", second)
    other.close()
    equal(os.stat(daemon.socket).st_ino, inode, "and leaves it alone too")
    daemon.start()
    equal(daemon.ask().status, 200, "once nobody listens on it, menshen takes it back")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


records()
gate()
taken_over()
done()
