# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Keys that are taken away or let slip: files replaced by bad ones, commands that print too much.

MENSHEN_E2E_KEY_GRACE=1 waits for the minute that a previous key still serves.
"""

import os
import time

from harness import CHAT, IS_ROOT, Daemon, check, done, equal, note, own, place, skipped, wait, write
from upstream import Upstream

FIRST, SECOND = "sk-first-5d81c04a77", "sk-second-e93b6f1208"
upstream = Upstream()


def daemon_with(home, source):
    return Daemon(home, f'[[providers]]\nname = "one"\nbase_url = "{upstream.url}/v1"\nkind = "openai"\n{source}\n')


def shown():
    return upstream.calls[-1].field("Authorization")


def everything(daemon, *answers):
    """What a caller, the log and the files tell."""
    text = b"".join(answer.everything() for answer in answers) + daemon.stderr().encode()
    for path in ("/_menshen/status", "/_menshen/ui/", "/_menshen/ui/providers", "/_menshen/ui/system"):
        text += daemon.ask(path, None, {}, method="GET").body
    for name in os.listdir(os.path.dirname(daemon.database)):
        with open(f"{os.path.dirname(daemon.database)}/{name}", "rb") as file:
            text += file.read()
    return text


def replaced_files():
    """Each way in which a key file goes bad: told at once, and the previous key does not serve for long."""
    for what, spoil in {
        "readable by others": lambda path: write(path, SECOND + "\n", 0o644),
        "empty": lambda path: write(path, ""),
        "removed": os.unlink,
        "a shell's assignment": lambda path: write(path, f"OPENAI_API_KEY={SECOND}\n"),
    }.items():
        home = place()
        path = write(f"{home}/key", FIRST + "\n")
        daemon = daemon_with(home, f'api_key_file = "{path}"')
        equal((daemon.ask().status, shown()), (200, f"Bearer {FIRST}"), f"{what}: at first the key is in use")
        spoil(path)
        answer = daemon.ask()
        equal((answer.status, shown()), (200, f"Bearer {FIRST}"), f"{what}: the previous key still serves, for a moment")
        status = daemon.ask("/_menshen/status", None, {"Accept": "text/plain"}, method="GET").body.decode()
        check("cannot be read" in status, f"{what}: the status says so at once", status)
        check("previous key, for 60 s at most" in daemon.stderr(), f"{what}: and so does the log", daemon.stderr()[-300:])
        text = everything(daemon, answer)
        check(FIRST.encode() not in text and SECOND.encode() not in text, f"{what}: neither key is told")
        if os.environ.get("MENSHEN_E2E_KEY_GRACE"):
            begin = time.monotonic()
            gone = wait(lambda: daemon.ask().status == 503, 70)
            check(gone, f"{what}: then requests are refused")
            note(f"{what}: the previous key served for {time.monotonic() - begin:.0f} s")
            equal(daemon.ask().fields["x-menshen-error"], "key_unavailable", f"{what}: with the reason")
        write(path, SECOND + "\n")
        equal((daemon.ask().status, shown()), (200, f"Bearer {SECOND}"), f"{what}: the next good key is used at once")
        equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def never_read():
    """A file that was bad from the start gives nothing to anybody."""
    for what, text, mode in (("open to others", FIRST, 0o644), ("empty", "", 0o600), ("of two lines", f"{FIRST}\n{SECOND}\n", 0o600)):
        home = place()
        daemon = daemon_with(home, f'api_key_file = "{write(f"{home}/key", text, mode)}"')
        before = len(upstream.calls)
        answer = daemon.ask()
        equal((answer.status, answer.fields["x-menshen-error"]), (503, "key_unavailable"), f"a key file {what}: 503")
        equal(len(upstream.calls), before, f"a key file {what}: nothing goes out")
        check(FIRST.encode() not in everything(daemon, answer), f"a key file {what}: the key is not told")
        equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def talkative_command():
    """`sh -x` writes the key to its standard error, and then fails, or prints what is no key."""
    for what, script in {
        "fails": f"KEY={FIRST}\necho $KEY >&2\nexit 3\n",
        "prints two lines": f"KEY={FIRST}\necho $KEY\necho $KEY\n",
        "prints the key, and talks": f"KEY={FIRST}\necho $KEY\n",
    }.items():
        home = place()
        path = write(f"{home}/tell", "#!/bin/sh\nset -x\n" + script, 0o700)
        daemon = daemon_with(home, f'api_key_command = ["/bin/sh", "-x", "{path}"]')
        answer = daemon.ask()
        good = what.startswith("prints the key")
        equal(answer.status, 200 if good else 503, f"a command that {what}: {200 if good else 503}")
        if good:
            equal(shown(), f"Bearer {FIRST}", "its key is used")
        check(FIRST.encode() not in everything(daemon, answer), f"a command that {what}: its key is told to nobody")
        equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def echoing_caller():
    """A caller that guesses: the key, where it stands in path and model, is not written down."""
    home = place()
    daemon = daemon_with(home, f'api_key_file = "{write(f"{home}/key", FIRST + chr(10))}"')
    daemon.ask()
    answers = [
        daemon.ask(f"/v1/{FIRST}"), daemon.ask(body=CHAT.replace(b'"one"', f'"{FIRST}"'.encode())),
        daemon.ask("/v1/models?after=" + FIRST, None, {}, method="GET"),
    ]
    daemon.settled([answer.id for answer in answers])
    rows = daemon.rows("SELECT path, model FROM requests")
    check(FIRST not in str(rows) and "***" in str(rows), "a key in path or model is masked in the rows", rows)
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


def another_users_file():
    if not IS_ROOT:
        return skipped("a key file of another user's", "needs root")
    home = place()
    path = write(f"{home}/key", FIRST + "\n")
    os.chown(path, 65532, 65532)
    os.chmod(path, 0o604)
    daemon = daemon_with(home, f'api_key_file = "{path}"')
    answer = daemon.ask()
    equal((answer.status, answer.fields["x-menshen-error"]), (503, "key_unavailable"), "a key file of another user's: 503")
    equal(daemon.stop(), 0, "SIGTERM ends it with 0")


replaced_files()
never_read()
talkative_command()
echoing_caller()
another_users_file()
done()
