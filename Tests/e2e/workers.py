# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Four workers: places, queues, breakers, pauses, requests for the same and key commands are one for all of them."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import *

WORKERS = 4
CALLERS = 64


class Counting(BaseHTTPRequestHandler):
    """A provider that counts the requests that are at it at the same time."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        with server.lock:
            server.now += 1
            server.most = max(server.most, server.now)
            server.keys.append(self.headers.get("Authorization"))
        server.gate.wait(PATIENCE)
        time.sleep(server.pause)
        with server.lock:
            server.now -= 1
        body = json.dumps({"object": "chat.completion", "choices": []}).encode()
        self.send_response(server.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **server.fields}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Provider(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, status=200, **fields):
        super().__init__(("127.0.0.1", 0), Counting)
        self.status, self.fields = status, {name.replace("_", "-"): value for name, value in fields.items()}
        self.lock, self.gate = threading.Lock(), threading.Event()
        self.now = self.most = self.pause = 0
        self.keys = []
        self.gate.set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


def daemon(*providers, tables="", **more):
    """Each provider is its own lines after name and address."""
    text = f"[server]\nworkers = {WORKERS}\n{tables}\n"
    for index, (provider, lines) in enumerate(providers):
        text += f'[[providers]]\nname = "p{index}"\nkind = "openai"\nbase_url = "{provider.url}/v1"\n{lines}\n'
        text += "" if "api_key" in lines else f'api_key = "{KEY}"\n'
    return Daemon(place(), text, **more)


def together(jobs):
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def request(caller, path="/v1/chat/completions", body=CHAT, method="POST"):
    caller.request(method, path, body, JSON if body else {})
    response = caller.getresponse()
    return Answer(response, response.read())


def callers(instance, count=CALLERS):
    """Kept connections, each with the number of its worker: ids of requests tell it."""
    found, lock = [], threading.Lock()

    def connect():
        caller = Caller(instance.socket)
        worker = number(request(caller, "/_menshen/health", None, "GET").id) % WORKERS
        with lock:
            found.append((worker, caller))

    for _ in range(20):
        together([connect] * count)
        if len({worker for worker, _ in found}) > 1:
            break
    return found


def by_worker(found):
    return list({worker: caller for worker, caller in found}.values())


def ask_all(found):
    answers, lock = [], threading.Lock()

    def job(caller):
        def run():
            answer = request(caller)
            with lock:
                answers.append(answer)
        return run

    together([job(caller) for _, caller in found])
    return answers


def status(instance):
    return json.loads(instance.ask("/_menshen/status", None, {}, method="GET").body)


def taken(instance):
    """Requests at the first provider, and waiting for a place at it."""
    row = status(instance)["providers"][0]
    return row["active"], row["queued"]


def places():
    provider = Provider()
    provider.pause = 0.005
    instance = daemon((provider, 'max_concurrent = 2\nmax_queued = 1000\nqueue_timeout = "60s"'))
    found = callers(instance)
    check(len(by_worker(found)) > 1, "callers are at several workers", [worker for worker, _ in found])
    for _ in range(3):
        answers = ask_all(found)
        equal({answer.status for answer in answers}, {200}, f"{len(found)} callers at once all have an answer")
    equal(provider.most, 2, "and the provider never has more than max_concurrent of them, nor less than it could")
    equal(len(provider.keys), 3 * len(found), "each was asked once")
    check(wait(lambda: taken(instance) == (0, 0)), "then no place is taken", taken(instance))
    equal(instance.stop(), 0, "it ends well")


def queue():
    provider = Provider()
    provider.gate.clear()
    instance = daemon((provider, 'max_concurrent = 2\nmax_queued = 5\nqueue_timeout = "60s"'))
    found = callers(instance)[:CALLERS]
    answers = []
    asking = threading.Thread(target=lambda: answers.extend(ask_all(found)))
    asking.start()
    full = wait(lambda: taken(instance) == (2, 5))
    check(full, "two are at the provider and max_queued wait, of all workers together", taken(instance))
    # Those that are refused have their answer by now or are about to.
    wait(lambda: sum(row["n"] for row in instance.rows("SELECT count(*) AS n FROM requests WHERE status = 429")) == len(found) - 7)
    provider.gate.set()
    asking.join()
    equal(sorted(answer.status for answer in answers), [200] * 7 + [429] * (len(found) - 7), "and the others are refused")
    instance.stop()


def breaker():
    bad, good = Provider(500), Provider()
    instance = daemon((bad, "weight = 1000000"), (good, ""), tables='[failover]\nbreaker_failures = 1\nbreaker_pause = "60s"')
    found = callers(instance)
    equal(request(found[0][1]).status, 200, "a provider that fails is stepped over")
    begun = time.monotonic()
    answers = [request(caller).status for caller in by_worker(found)]
    # It is left alone for a second.
    if time.monotonic() - begun < 0.9:
        equal((set(answers), len(bad.keys)), ({200}, 1), "and left alone by every worker from then on")
    else:
        skipped("the breaker of all workers", "this machine is too slow just now")
    instance.stop()


def pause():
    first = Provider(429, Retry_After="60")
    instance = daemon((first, ""))
    found = callers(instance)
    request(found[0][1])
    answers = [request(caller) for caller in by_worker(found)]
    equal({answer.status for answer in answers}, {429}, "a Retry-After holds at every worker")
    check(all(b"provider_paused" in answer.body for answer in answers), "and each says so itself", answers[0].body)
    equal(len(first.keys), 1, "the provider was asked once")
    instance.stop()


def same():
    provider = Provider()
    provider.gate.clear()
    instance = daemon((provider, ""), tables='[cache]\nenable = true\nmax_age = "1h"\ncoalesce = true')
    found = callers(instance)
    check(len(by_worker(found)) > 1, "callers who want the same are at several workers")
    answers = []
    asking = threading.Thread(target=lambda: answers.extend(ask_all(found)))
    asking.start()
    # The cache has nothing for any of them by then.
    wait(lambda: status(instance)["cache"]["misses"] == len(found) and len(provider.keys) > 0)
    provider.gate.set()
    asking.join()
    equal(len(provider.keys), 1, "a burst of requests for the same reaches the provider once")
    kinds = [answer.fields["x-cache"] for answer in answers]
    equal((kinds.count("MISS"), kinds.count("HIT")), (1, len(found) - 1), "the others have its answer")
    check(all(answer.status == 200 and b"chat.completion" in answer.body for answer in answers), "each of them, whole")
    instance.stop()


def key_command():
    home = place()
    runs = f"{home}/runs"
    provider = Provider()
    instance = daemon((provider, f"""api_key_command = ["/bin/sh", "-c", "echo run >> {runs}; sleep 0.2; echo sk-of-a-command"]"""))
    found = callers(instance)
    equal({answer.status for answer in ask_all(found)}, {200}, "callers at several workers wait for one key")
    with open(runs) as file:
        equal(file.read(), "run\n", "its command runs once")
    equal(set(provider.keys), {"Bearer sk-of-a-command"}, "and all have its key")
    instance.stop()


def leaving():
    """Callers that leave while they wait, or while they are served, take no place with them."""
    provider = Provider()
    provider.pause = 0.002
    instance = daemon((provider, 'max_concurrent = 2\nmax_queued = 1000\nqueue_timeout = "60s"'))

    def leave(index):
        def run():
            for each in range(4):
                caller = Caller(instance.socket)
                caller.request("POST", "/v1/chat/completions", CHAT, JSON)
                time.sleep(0.001 * ((index + each) % 7))
                caller.close()
        return run

    found = callers(instance)
    together([leave(index) for index in range(32)])
    equal({answer.status for answer in ask_all(found)}, {200}, "after callers that left, all others are served")
    check(wait(lambda: taken(instance) == (0, 0)), "and no place is lost", taken(instance))
    equal(instance.stop(), 0, "it ends well")


for step in (places, queue, breaker, pause, same, key_command, leaving):
    step()
done()
