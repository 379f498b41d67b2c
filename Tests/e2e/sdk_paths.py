# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Every path that the official SDKs can ask for, read from their own sources, goes to the company whose SDK it is.

Four providers stand side by side. Each path is sent with the headers that its SDK sends, over one connection."""

import collections
import glob
import importlib.util
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import Caller, Daemon, check, done, equal, note, place

HEADERS = {
    "openai": {"Authorization": "Bearer unused"},
    "anthropic": {"x-api-key": "unused", "anthropic-version": "2023-06-01"},
    "gemini": {"x-goog-api-key": "unused", "x-goog-api-client": "google-genai-sdk/3"},
    "bedrock": {"Authorization": "AWS4-HMAC-SHA256 Credential=A/20261127/r/bedrock/aws4_request, SignedHeaders=host, Signature=0",
                "X-Amz-Date": "20261127T000000Z"},
}
SHOWN = {"openai": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key", "bedrock": "authorization"}


def folder(package):
    return os.path.dirname(importlib.util.find_spec(package).origin)


def sources(package):
    for path in glob.glob(f"{folder(package)}/**/*.py", recursive=True):
        if "/tests/" not in path and "/_test" not in path:
            with open(path) as file:
                yield file.read()


def filled(path):
    """Placeholders become names."""
    path = re.sub(r"\{[^{}]*\}", "name", path.split("?")[0])
    return path if path.startswith("/") else "/" + path


def stainless(package, prefix=""):
    """self._post("/v1/messages", …), and the same with path_template("/v1/files/{file_id}", …)."""
    call = re.compile(r'self\._(get|post|put|patch|delete|get_api_list)\(\s*(?:path_template\()?f?"(/[^"]*)"')
    for text in sources(package):
        for verb, path in call.findall(text):
            yield "GET" if verb == "get_api_list" else verb.upper(), prefix + filled(path)


def google():
    """path = '{model}:generateContent'.format_map(…) below /v1 or /v1beta, and what the uploads have of their own."""
    for text in sources("google.genai"):
        for path in re.findall(r"path = '([^']+)'", text) + re.findall(r"path=f?['\"](/?v1[^'\"]*|/upload[^'\"]*)['\"]", text):
            path = path.replace("{model}", "models/m")
            for version in ("v1", "v1beta"):
                given = path.replace("{api_version}", version)
                yield "POST", filled(given if re.match(r"/?(v1|upload)", given) else f"{version}/{given.lstrip('/')}")
    for path in ("/upload/v1/files", "/upload/v1beta/files", "/v1/cachedContents", "/v1/batches", "/v1/interactions",
                 "/upload/v1/fileSearchStores/s:uploadToFileSearchStore"):
        yield "POST", path


def amazon():
    for path in glob.glob(f"{folder('botocore')}/data/bedrock*/*/service-2.json*"):
        import gzip
        with (gzip.open(path) if path.endswith(".gz") else open(path, "rb")) as file:
            for operation in json.load(file)["operations"].values():
                # One service has a single address, the root, where menshen's own page is.
                if operation["http"]["requestUri"] != "/":
                    yield operation["http"]["method"], filled(operation["http"]["requestUri"])


class Provider(BaseHTTPRequestHandler):
    """Answers with the name that stands first in the path it was asked for."""
    protocol_version = "HTTP/1.1"
    # Head and body leave together.
    wbufsize = 1 << 16

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps({"provider": self.path.split("/")[1], "path": self.path}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"
daemon = Daemon(place(), "".join(f"""
[[providers]]
name = "at-{kind}"
kind = "{kind}"
base_url = "{base}/{kind}{version}"
api_key = "key-of-{kind}"
""" for kind, version in (("openai", "/v1"), ("anthropic", ""), ("gemini", "/v1beta"))) + f"""
[[providers]]
name = "at-bedrock"
kind = "bedrock"
base_url = "{base}/bedrock"
api_key = "key-of-bedrock"
""")


def whereabouts(kind, requests):
    requests = sorted(set(requests))
    caller = Caller(daemon.socket)
    elsewhere = collections.Counter()
    examples = {}
    doubled = []
    for method, path in requests:
        body = b"{}" if method in ("POST", "PUT", "PATCH") else None
        fields = {**HEADERS[kind], **({"Content-Type": "application/json"} if body else {})}
        caller.request(method, path, body, fields)
        answer = caller.getresponse()
        text = answer.read()
        got = json.loads(text).get("provider", text[:80].decode()) if answer.status == 200 else f"{answer.status} {text[:120]}"
        if got != kind:
            elsewhere[got] += 1
            examples.setdefault(got, f"{method} {path}")
        elif re.search(r"/(v1|v1beta)/(v1|v1beta)/", json.loads(text)["path"]):
            doubled.append(path)
    caller.close()
    note(f"{kind}: {len(requests)} paths")
    check(len(requests) > 60, f"the sources of {kind}'s SDK name their paths", len(requests))
    check(not elsewhere, f"each goes to {kind}'s provider", f"{dict(elsewhere)}, for example {examples}")
    equal(doubled, [], f"and none has two versions on its way there ({kind})")


whereabouts("openai", stainless("openai", "/v1"))
whereabouts("anthropic", stainless("anthropic"))
whereabouts("gemini", google())
whereabouts("bedrock", amazon())
done()
