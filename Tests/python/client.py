#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Callers of a menshen socket. Each prints one JSON object when it is done.

  client.py one SOCKET [HEADER=VALUE...]   one request: status, body, or error
  client.py raw SOCKET                     one request, and every byte that came back
  client.py orphan SOCKET                  one request, sent by a child of the process that connected and ended
  client.py stream SOCKET                  one streamed request: events seen, whole or not
  client.py load SOCKET                    requests from six threads until stdin is closed
  client.py gaps SOCKET COUNT              COUNT bursts of three requests, about a second apart
"""

import collections
import json
import os
import random
import socket
import sys
import threading
import time

from harness import JSON, Caller

BODY = json.dumps({"model": "saw", "messages": [{"role": "user", "content": "hello"}]})
# A restart may wait for streams that are under way; nothing here takes longer than the unit's stop time-out.
PATIENCE = 60


def ask(connection, headers={}, body=BODY):
    connection.request("POST", "/v1/chat/completions", body, {**JSON, **headers})
    answer = connection.getresponse()
    text = answer.read()
    if answer.will_close:
        connection.close()
    return answer.status, text


def fault(error):
    name = type(error).__name__
    return f"{name} {error.errno}" if isinstance(error, OSError) and error.errno else name


def count(path, totals, lock, kept=None):
    """One request on a connection of its own, or on `kept`."""
    connection = kept or Caller(path, PATIENCE)
    try:
        status, text = ask(connection)
        complete = status == 200 and text.endswith(b"}") and b'"saw"' in text
        outcome = "ok" if complete else f"status {status}" if status != 200 else "short"
    except Exception as error:
        outcome = fault(error)
        connection.close()
    if not kept:
        connection.close()
    elif outcome != "ok":
        outcome = "kept: " + outcome
    with lock:
        totals["kept" if kept and outcome == "ok" else outcome] += 1


def load(path):
    totals, lock, done = collections.Counter(), threading.Lock(), threading.Event()

    def fresh():
        while not done.is_set():
            count(path, totals, lock)
            time.sleep(0.005)

    def keeping():
        connection = Caller(path, PATIENCE)
        while not done.is_set():
            count(path, totals, lock, kept=connection)
            time.sleep(random.uniform(0, 0.02))

    threads = [threading.Thread(target=fresh) for _ in range(4)] + [threading.Thread(target=keeping) for _ in range(2)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    done.set()
    for thread in threads:
        thread.join()
    return totals


def gaps(path, bursts):
    totals, lock = collections.Counter(), threading.Lock()
    for _ in range(bursts):
        threads = [threading.Thread(target=count, args=(path, totals, lock)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Around idle_exit = "1s", so that callers come just before, while and just after menshen leaves.
        time.sleep(random.uniform(0.9, 1.2))
    return totals


def stream(path):
    connection = Caller(path, PATIENCE)
    result = {"events": 0, "whole": False}
    try:
        connection.request(
            "POST", "/v1/chat/completions", json.dumps({"model": "saw", "messages": [], "stream": True}),
            JSON)
        answer = connection.getresponse()
        result["status"] = answer.status
        print("begun", file=sys.stderr, flush=True)
        text = b""
        while block := answer.read1(65536):
            text += block
        result["events"] = text.count(b'"event"')
        result["whole"] = text.endswith(b"data: [DONE]\n\n") and result["events"] == 40
    except Exception as error:
        result["error"] = fault(error)
    return result


def one(path, headers):
    try:
        status, text = ask(Caller(path, PATIENCE), dict(header.split("=", 1) for header in headers))
        return {"status": status, "body": text.decode()}
    except Exception as error:
        return {"error": fault(error)}


def orphan(path):
    connection = Caller(path, PATIENCE)
    connection.connect()
    if os.fork():
        os._exit(0)
    status, _ = ask(connection)
    return {"status": status}


def raw(path):
    end = socket.socket(socket.AF_UNIX)
    end.settimeout(10)
    try:
        end.connect(path)
        got = b""
        try:
            end.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(BODY)}\r\nConnection: close\r\n\r\n{BODY}".encode())
            while block := end.recv(65536):
                got += block
        except (BrokenPipeError, ConnectionResetError):
            pass
        return {"connected": True, "bytes": got.decode()}
    except Exception as error:
        return {"error": fault(error)}


verb, path, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
print(json.dumps({
    "one": lambda: one(path, rest), "raw": lambda: raw(path), "orphan": lambda: orphan(path),
    "stream": lambda: stream(path), "load": lambda: load(path), "gaps": lambda: gaps(path, int(rest[0])),
}[verb]()))
