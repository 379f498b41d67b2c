# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Bedrock: boto3 as the caller, botocore as the judge of menshen's signatures."""

import json
import os
import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import botocore
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from harness import JSON, KEY, TOKEN, Daemon, check, done, equal, place, wait

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY-the-real-one"
SESSION = "IQoJb3JpZ2luX2VjE/session+of=the-provider"
OWN = "what-the-caller-carries-5d2e"
MODELS = [
    "amazon.nova-lite-v1:0", "anthropic.claude-3-5-sonnet-20241022-v2:0", "us.anthropic.claude-sonnet-4-20250514-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
]
MESSAGES = [{"role": "user", "content": [{"text": "Good morning, 门神!"}]}]
WORDS = ["Good", " morning", "."]


def event(kind, value, what="event"):
    """A message of AWS's binary event stream."""
    def field(name, text):
        return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(text)) + text.encode()

    fields = field(f":{what}-type", kind) + field(":content-type", "application/json") + field(":message-type", what)
    payload = json.dumps(value).encode()
    start = struct.pack(">II", 16 + len(fields) + len(payload), len(fields))
    message = start + struct.pack(">I", zlib.crc32(start)) + fields + payload
    return message + struct.pack(">I", zlib.crc32(message))


STREAM = [
    event("messageStart", {"role": "assistant"}),
    *[event("contentBlockDelta", {"delta": {"text": word}, "contentBlockIndex": 0}) for word in WORDS],
    event("contentBlockStop", {"contentBlockIndex": 0}), event("messageStop", {"stopReason": "end_turn"}),
    event("metadata", {"usage": {"inputTokens": 3, "outputTokens": 6, "totalTokens": 9}, "metrics": {"latencyMs": 1}}),
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.calls.append((self.path, self.headers, body))
        if self.path.endswith("-stream"):
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.amazon.eventstream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in STREAM:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            return
        text = json.dumps({
            "output": {"message": {"role": "assistant", "content": [{"text": "".join(WORDS)}]}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 3, "outputTokens": 6, "totalTokens": 9}, "metrics": {"latencyMs": 1},
        }).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST

    def log_message(self, *_):
        pass


upstream = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
upstream.daemon_threads = True
upstream.calls = []
threading.Thread(target=upstream.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{upstream.server_address[1]}"
signing = f"""\
kind = "bedrock"
base_url = "{url}"
api_key = "${{AWS_SECRET_ACCESS_KEY}}"
aws_access_key_id = "AKIDEXAMPLE"
"""
daemon = Daemon(place(), f"""\
[auth]
token = "{TOKEN}"
[[providers]]
name = "signed"
region = "us-east-1"
{signing}
[[providers]]
name = "session"
region = "eu-central-1"
aws_session_token = "${{AWS_SESSION_TOKEN}}"
weight = 1
{signing}
[[providers]]
name = "bearer"
kind = "bedrock"
base_url = "{url}"
api_key = "${{AWS_BEARER_TOKEN_BEDROCK}}"
""", tcp=True, env={"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": SESSION, "AWS_BEARER_TOKEN_BEDROCK": KEY})


def judge(what, region="us-east-1", token=None, method="POST"):
    """The last request's signature, computed anew from what arrived."""
    path, fields, body = upstream.calls[-1]
    authorization = fields.get_all("Authorization") or []
    if not check(len(authorization) == 1 and authorization[0].startswith("AWS4-HMAC-SHA256 "), f"{what}: one signature", authorization):
        return
    scope, names, signature = [part.partition("=")[2] for part in authorization[0].split(" ", 1)[1].split(", ")]
    request = AWSRequest(method, f"http://{fields['Host']}{path}", data=body)
    for name in names.split(";"):
        request.headers[name] = fields[name]
    request.context["timestamp"] = fields["X-Amz-Date"]
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", SECRET, token), "bedrock", region)
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    equal((scope, signature), (f"AKIDEXAMPLE/{auth.credential_scope(request)}", expected), f"{what}: botocore comes to the same signature")
    missing = [name.lower() for name in fields if name.lower().startswith("x-amz-") and name.lower() not in names.split(";")]
    equal((missing, "host" in names), ([], True), f"{what}: host and every x-amz- field are signed")
    equal(fields["X-Amz-Security-Token"], token, f"{what}: the session token is the provider's")
    text = f"{path}\n{fields}".encode() + body
    check(not any(word.encode() in text for word in (OWN, TOKEN, SECRET)), f"{what}: nothing of the caller's, and not the secret", text)


def client(provider, token=TOKEN):
    """boto3's own, with the proxy token as its access key id, the only place over plain HTTP."""
    return boto3.client(
        "bedrock-runtime", region_name="us-west-2", endpoint_url=f"http://127.0.0.1:{daemon.port}/{provider}",
        config=Config(retries={"total_max_attempts": 1}), aws_access_key_id=token, aws_secret_access_key=OWN,
        aws_session_token=OWN)


def of_boto3(provider, judged):
    caller = client(provider)
    for model in MODELS:
        what = f"{provider}, {model}"
        answer = caller.converse(modelId=model, messages=MESSAGES)
        equal(answer["output"]["message"]["content"][0]["text"], "".join(WORDS), f"{what}: converse")
        judged(f"{what}: converse")
        stream = caller.converse_stream(modelId=model, messages=MESSAGES)["stream"]
        events = list(stream)
        text = "".join(item["contentBlockDelta"]["delta"]["text"] for item in events if "contentBlockDelta" in item)
        equal((text, events[-1]["metadata"]["usage"]["totalTokens"]), ("".join(WORDS), 9), f"{what}: converse_stream")
        judged(f"{what}: converse_stream")
    body = json.dumps({"inputText": "x" * (3 << 20)}).encode()
    answer = caller.invoke_model(modelId=MODELS[1], body=body, contentType="application/json")
    equal((json.loads(answer["body"].read())["stopReason"], upstream.calls[-1][2] == body), ("end_turn", True),
          f"{provider}: invoke_model with 3 MiB, byte for byte")
    judged(f"{provider}: invoke_model with 3 MiB")


def bearer(what):
    fields = upstream.calls[-1][1]
    equal(fields.get_all("Authorization"), [f"Bearer {KEY}"], f"{what}: the Bedrock key")
    equal([name for name in fields if name.lower().startswith("x-amz-")], [], f"{what}: nothing of a signature")


of_boto3("signed", judge)
of_boto3("session", lambda what: judge(what, "eu-central-1", SESSION))
of_boto3("bearer", bearer)

# Nothing of a caller's own signature goes out.
before = len(upstream.calls)
try:
    client("signed", "AKIACALLER").converse(modelId=MODELS[0], messages=MESSAGES)
    check(False, "over TCP another access key id is no token")
except botocore.exceptions.ClientError as error:
    equal((error.response["ResponseMetadata"]["HTTPStatusCode"], len(upstream.calls) - before), (401, 0),
          "over TCP another access key id is no token")
request = AWSRequest("POST", "http://localhost/model/amazon.nova-lite-v1%3A0/converse", data=b"{}", headers=JSON)
SigV4Auth(Credentials("AKIACALLER", OWN, OWN), "bedrock", "us-west-2").add_auth(request)
fields = {**dict(request.headers.items()), "X-Amz-Content-Sha256": OWN, "X-Amz-User-Agent": "sdk  with   spaces"}
for path in ("/signed/model/amazon.nova-lite-v1%3A0/converse", "/signed/model/amazon.nova-lite-v1:0/converse",
             "/signed/x?b=2&a=1&a=0&c=%2f"):
    equal(daemon.ask(path, b"{}", fields).status, 200, f"a caller's signature is taken off: {path}")
    if "%2f" not in path:
        judge(f"a caller's signature is replaced: {path}")
equal(daemon.ask("/session/model/a%2Fb/converse", b"{}", fields).status, 200, "with a session token")
judge("a caller's session token is replaced", "eu-central-1", SESSION)
answer = daemon.ask("/signed/model/a/invoke-with-response-stream", b"{}")
equal(answer.body, b"".join(STREAM), "an event stream passes byte for byte")
equal(answer.fields["Content-Type"], "application/vnd.amazon.eventstream", "with its content type")
row = daemon.row(answer.id)
check(row and (row["status"], row["provider"], row["end_state"]) == (200, "signed", "complete"), "and leaves a row", row)
counted = daemon.rows("SELECT DISTINCT usage_state, input_total, output_total, end_state FROM requests WHERE operation = 'converse_stream'")
equal([tuple(row.values()) for row in counted], [("reported", 3, 6, "complete")],
      "each of boto3's streams was counted")
# An exception in the middle of a stream.
STREAM[2:] = [event("throttlingException", {"message": "Too many requests."}, "exception")]
try:
    list(client("signed").converse_stream(modelId=MODELS[0], messages=MESSAGES)["stream"])
    check(False, "boto3 raises what a stream breaks off with")
except botocore.exceptions.EventStreamError as error:
    check("throttlingException" in str(error), "boto3 raises what a stream breaks off with", error)
last = wait(lambda: daemon.rows("SELECT end_state, problem FROM requests WHERE end_state = 'stream_error'"))
equal([tuple(row.values()) for row in last], [("stream_error", "throttlingException")], "and its row says so")

everything = daemon.stderr().encode()
wait(lambda: not daemon.rows("SELECT id FROM requests WHERE end_state = 'open'"), 3)
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
for folder, _, names in os.walk(daemon.home):
    for name in names:
        if not name.endswith(".sock"):
            with open(os.path.join(folder, name), "rb") as file:
                everything += file.read()
check(not any(word.encode() in everything for word in (SECRET, SESSION, KEY)), "neither secret, session token nor key is written anywhere")
done()
