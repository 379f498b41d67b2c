# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The corpus through the real SDKs of OpenAI, Anthropic and Google: what they make of an answer, and the rows.

Each SDK sends the case's own request. Where the corpus says that an answer is whole, the SDK must take it; where it says
that it breaks or ends in an error, the SDK must raise.
"""

import io
import json

import anthropic
import httpx
import openai
from google import genai
from google.genai import errors as genai_errors

from clients import OWN, WAYS, over
from corpus import PATIENT, Upstream, load, providers
from harness import TOKEN, Daemon, check, done, equal, free_port, note, number, place

# Nobody's SDK: Bedrock's event streams need boto3. What no SDK reads: see `unread`.
FAMILIES = {
    "openai-chat": openai, "openai-completions": openai, "openai-responses": openai, "openai-embeddings": openai,
    "openai-moderations": openai, "openai-models": openai, "openai-files": openai, "openai-images": openai,
    "openai-transcription": openai, "openai-speech": openai, "azure-chat": openai,
    "anthropic-messages": anthropic, "anthropic-count-tokens": anthropic, "anthropic-models": anthropic,
    "gemini-generate": genai, "gemini-stream-sse": genai, "gemini-embed": genai, "gemini-count-tokens": genai, "gemini-models": genai,
}
RAISED = (openai.OpenAIError, anthropic.AnthropicError, genai_errors.APIError)
CLASSES = {
    400: "BadRequestError", 401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError",
    413: "RequestTooLargeError", 429: "RateLimitError", 500: "InternalServerError", 503: "InternalServerError", 529: "OverloadedError",
}

cases = load()
upstream = Upstream(cases)
daemon = Daemon(place(), f"""\
[auth]
token = "{TOKEN}"
{providers(upstream)}""", tcp=True)
# Its providers give no answers.
empty = Daemon(place(), f"""\
[auth]
token = "{TOKEN}"
{PATIENT}[[providers]]
name = "c-off"
base_url = "{upstream.url}/v1"
weight = 0
[[providers]]
name = "c-down"
base_url = "http://127.0.0.1:{free_port()}/v1"
api_key = "unused"
""", tcp=True)
# Ids of the answers that an SDK has seen, since the last look; and what their rows must be.
seen = []
expected = []


def hook(response):
    seen.append(response.headers.get("x-menshen-request-id"))


class Clients:
    def __init__(self, way, retries=0):
        more = {"hook": hook, "max_retries": retries}
        self.openai = over(daemon, openai, "OpenAI", way, **more)
        self.anthropic = over(daemon, anthropic, "Anthropic", way, version="", **more)
        self.azure = over(daemon, openai, "AzureOpenAI", way, version="", address="azure_endpoint", api_version="2024-10-21", **more)
        base = f"http://localhost:{daemon.port}" if way == "TCP" else "http://localhost"
        arguments = {"event_hooks": {"response": [hook]}}
        if way != "TCP":
            arguments["transport"] = httpx.HTTPTransport(uds=daemon.socket)
        options = genai.types.HttpOptions(base_url=base, client_args=arguments)
        self.genai = genai.Client(api_key=TOKEN if way == "TCP" else OWN, http_options=options)


def ask(clients, case, script=None):
    """The case's request by the SDK that makes such requests; its answer read to the end, streamed ones as a list."""
    operation, dialect = case.record["operation"], case.record["dialect"]
    body, extra = case.request.get("body"), {"extra_headers": {"x-corpus": script or case.name}}
    if isinstance(body, str):
        body = {part.split('"')[1]: part.split("\r\n\r\n")[1].split("\r\n")[0] for part in body.split("; name=")[1:]}
    if dialect == "gemini":
        return ask_gemini(clients.genai, case, operation, body, script)
    sdk = {"openai": clients.openai, "azure": clients.azure, "anthropic": clients.anthropic}[dialect]
    if operation == "chat":
        # Azure's names no model in the body where the path does.
        answer = sdk.chat.completions.create(**{"model": case.record["model"], **body}, **extra)
    elif operation == "responses":
        if case.request["method"] == "GET":
            return sdk.responses.retrieve("resp_0d00r01", **extra)
        if case.request["method"] == "DELETE":
            return sdk.responses.delete("resp_0d00r01", **extra)
        answer = sdk.responses.create(**body, **extra)
    elif operation == "messages":
        answer = sdk.messages.create(**body, **extra)
    elif operation == "count_tokens":
        answer = sdk.messages.count_tokens(**body, **extra)
    elif operation in ("completions", "embeddings", "moderations"):
        answer = getattr(sdk, operation).create(**body, **extra)
    elif operation == "images":
        if "edits" in case.request["path"]:
            answer = sdk.images.edit(**form(body, "image"), **extra)
        else:
            answer = sdk.images.generate(**body, **extra)
    elif operation == "transcription":
        kind = sdk.audio.translations if "translations" in case.request["path"] else sdk.audio.transcriptions
        answer = kind.create(**form(body, "file"), **extra)
    elif operation == "speech":
        return sdk.audio.speech.create(**body, **extra).content
    elif operation == "models":
        name = case.request["path"].partition("/models/")[2]
        return sdk.models.retrieve(name, **extra) if name else list(sdk.models.list(**extra).data)
    else:
        if case.request["method"] == "POST":
            return sdk.files.create(file=io.BytesIO(b"{}"), purpose=body["purpose"], **extra)
        return sdk.files.content("file-d00r", **extra).content if "content" in case.request["path"] else sdk.files.list(**extra).data
    return list(answer) if case.record.get("stream") else answer


def form(fields, name):
    more = {"stream": True} if "stream" in fields else {}
    return {**{key: value for key, value in fields.items() if key != name}, **more, name: ("knock.wav", io.BytesIO(b"RIFF"))}


def ask_gemini(sdk, case, operation, body, script):
    config = {"http_options": {"headers": {"x-corpus": script or case.name}}}
    model = case.record.get("model")
    if operation == "generate":
        return sdk.models.generate_content(model=model, contents="Who?", config=config)
    if operation == "stream_generate":
        return list(sdk.models.generate_content_stream(model=model, contents="Who?", config=config))
    if operation == "embed":
        return sdk.models.embed_content(model=model, contents="door", config=config)
    if operation == "count_tokens":
        return sdk.models.count_tokens(model=model, contents="Who?", config=config)
    return list(sdk.models.list(config=config))


def unread(case):
    """Why no SDK can read the case as it stands; None if one can."""
    family, _, name = case.name.partition("/")
    if family not in FAMILIES:
        return "no SDK here"
    if name == "plain-v1" or "?beta" in case.request["path"]:
        return "a path that the SDK does not take"
    return {
        "openai-chat/stream-answered-plain": "the SDK reads no object where it asked for a stream",
        "openai-chat/stream-comments": "the SDK makes an event of a retry field alone",
        "gemini-stream-sse/stream-lf-comments": "the SDK knows no comments",
        "anthropic-messages/stream-data-only": "the SDK wants event lines",
    }.get(case.name)


def record(case, way, ids):
    expected.extend((case, way, request_id) for request_id in ids)


def attempt(call):
    """The answer, or what was raised; and the ids of the answers seen."""
    seen.clear()
    try:
        answer = call()
    except Exception as error:
        answer = error
    return answer, list(seen)


def the_corpus(way, clients):
    for case in cases.values():
        if case.answer["status"] != 200 or unread(case):
            continue
        answer, ids = attempt(lambda: ask(clients, case))
        record(case, way, ids)
        state = case.record["end_state"]
        raised = isinstance(answer, Exception)
        what = f"{case.name} over {way}"
        if state == "complete":
            check(not raised, f"{what}: the SDK takes it", repr(answer))
        elif state == "truncated":
            check(raised, f"{what}: the SDK raises", answer)
        elif case.record["operation"] == "responses":
            # This SDK hands error events on.
            last = None if raised else answer[-1]
            check(last and last.type in ("error", "response.failed"), f"{what}: the SDK sees the error", repr(answer))
        else:
            check(raised and isinstance(answer, RAISED), f"{what}: the SDK raises its APIError", repr(answer))


def contents(way, clients):
    """What the SDKs' own helpers make of some of them."""
    def of(name):
        answer, ids = attempt(lambda: ask(clients, cases[name]))
        record(cases[name], way, ids)
        return answer

    who = f"over {way}"
    answer = of("openai-chat/plain-tools")
    equal([call.function.name for call in answer.choices[0].message.tool_calls], ["open_door", "note"], f"tool calls {who}")
    equal(answer.usage.total_tokens, 118, f"usage {who}")
    equal(len(of("openai-chat/plain-two-choices").choices), 2, f"two choices {who}")
    name = "openai-embeddings/base64"
    answer, _ = attempt(lambda: clients.openai.embeddings.create(model="m", input="door", extra_headers={"x-corpus": name}))
    equal(answer.data[0].embedding, [0.25, -0.5], f"embeddings, base64 on the wire {who}")
    equal([model.id for model in of("openai-models/list")], ["gpt-4.1-mini"], f"models {who}")
    equal(of("openai-transcription/plain-tokens").text, "Who is there?", f"transcription {who}")
    equal(of("openai-speech/plain"), cases["openai-speech/plain"].body, f"speech {who}")
    equal(of("openai-responses/plain").output_text, "Two generals.", f"Responses {who}")
    equal(of("anthropic-count-tokens/plain").input_tokens, 14, f"count_tokens {who}")
    equal(of("anthropic-messages/plain-tools").content[1].name, "open_door", f"a tool of Anthropic's {who}")
    equal(of("gemini-generate/plain-cached-thoughts").usage_metadata.thoughts_token_count, 450, f"Gemini {who}")

    def helped(name, manager, final):
        case = cases[name]
        body = {key: value for key, value in case.request["body"].items() if key != "stream"}

        def call():
            with manager(**body, extra_headers={"x-corpus": name}) as stream:
                for _ in stream:
                    pass
                return final(stream)

        answer, ids = attempt(call)
        record(case, way, ids)
        return answer

    chat = clients.openai.chat.completions.stream
    answer = helped("openai-chat/stream-tools", chat, lambda stream: stream.get_final_completion())
    calls = answer.choices[0].message.tool_calls
    equal([(call.function.name, json.loads(call.function.arguments)) for call in calls], [("open_door", {"leaf": "le左ft"}), ("ring", {"times": 3})],
          f"chat.completions.stream() puts tool calls together {who}")
    equal(answer.usage.completion_tokens, 37, f"chat.completions.stream() has the usage {who}")
    answer = helped("openai-responses/stream", clients.openai.responses.stream, lambda stream: stream.get_final_response())
    equal((answer.output_text, answer.usage.output_tokens), ("Two painted generals", 6), f"responses.stream() {who}")
    answer = helped("openai-responses/stream-cut", clients.openai.responses.stream, lambda stream: stream.get_final_response())
    check(isinstance(answer, Exception), f"responses.stream() raises at a cut {who}", repr(answer))
    answer = helped("anthropic-messages/stream-tools", clients.anthropic.messages.stream, lambda stream: stream.get_final_message())
    equal((answer.content[1].input, answer.usage.output_tokens), ({"leaf": "léft"}, 41), f"messages.stream() puts a tool's input together {who}")
    answer = helped("anthropic-messages/stream-cut", clients.anthropic.messages.stream, lambda stream: stream.get_final_message())
    check(isinstance(answer, Exception), f"messages.stream() raises at a cut {who}", repr(answer))


def error_answers(way, clients):
    for case in cases.values():
        status, dialect = case.answer["status"], case.record["dialect"]
        if status == 200 or dialect == "bedrock" or case.name.endswith("-array"):
            continue
        error, ids = attempt(lambda: ask(clients, case))
        record(case, way, ids)
        what = f"{case.name} over {way}"
        if dialect == "gemini":
            check(isinstance(error, genai_errors.APIError) and error.code == status, f"{what}: Google's APIError", repr(error))
            continue
        sdk = anthropic if dialect == "anthropic" else openai
        if not check(isinstance(error, getattr(sdk, CLASSES[status])), f"{what}: {CLASSES[status]}", repr(error)):
            continue
        name = "request-id" if sdk is anthropic else "x-request-id"
        if name in case.answer["headers"]:
            equal(error.request_id, case.answer["headers"][name], f"{what}: the provider's request id")
        equal(error.response.content, case.body, f"{what}: the provider's body")
        check("x-menshen-error" not in error.response.headers, f"{what}: not menshen's")


def retries(way):
    """The SDKs' own retries pass through, each try with a record of its own; menshen's refusals are not tried again."""
    clients = Clients(way, retries=2)
    for failing, good in (("errors/openai-500", "openai-chat/plain"), ("errors/anthropic-529", "anthropic-messages/stream"),
                          ("errors/anthropic-500", "anthropic-messages/plain-two-numbers")):
        first = len(upstream.calls)
        answer, ids = attempt(lambda: ask(clients, cases[good], f"{failing}|{failing}|{good}"))
        what = f"{good} after two of {failing} over {way}"
        check(not isinstance(answer, Exception), f"{what}: the SDK gets there", repr(answer))
        counts = [fields["x-stainless-retry-count"] for _, _, fields, _ in upstream.calls[first:]]
        equal(counts, ["0", "1", "2"], f"{what}: the provider sees each try, and nothing but them")
        equal(len(set(ids)), 3, f"{what}: three answers with ids of their own")
        for name, request_id in zip((failing, failing, good), ids):
            # The failing ones are asked as the good one is.
            asked = {key: cases[good].record.get(key) for key in ("model", "stream", "end_user")}
            tier = {} if name == good else {"asked_tier": (cases[good].request["body"] or {}).get("service_tier")}
            expected.append((cases[name], way, request_id, {**asked, **tier}))
    first = len(upstream.calls)
    error, ids = attempt(lambda: ask(clients, cases["errors/openai-429-stream"]))
    record(cases["errors/openai-429-stream"], way, ids)
    equal((type(error), len(ids), len(upstream.calls) - first), (openai.RateLimitError, 1, 1), f"x-should-retry: false of the provider passes over {way}")
    for name, status, problem, tries in (("c-off", 503, "no_provider", 1), ("c-down", 502, "upstream_unreachable", 3)):
        before = len(empty.rows())
        client = over(empty, openai, "OpenAI", way, version=f"/{name}/v1", hook=hook, max_retries=2)
        error, ids = attempt(lambda: client.chat.completions.create(model="m", messages=[]))
        what = f"menshen's own {status} over {way}"
        good = check(isinstance(error, openai.InternalServerError), f"{what}: InternalServerError", repr(error))
        if good:
            told = error.response.headers.get("x-should-retry"), error.response.headers["x-menshen-error"], error.code
            equal(told[1:], (problem, problem), f"{what}: says what it is")
            equal(told[0] == "false", tries == 1, f"{what}: x-should-retry is false where a retry can't help")
            equal(error.request_id, error.response.headers["x-menshen-request-id"], f"{what}: request_id names the record")
        empty.settled(ids)
        equal((len(ids), len(empty.rows()) - before), (tries, tries), f"{what}: tries and rows")


def usage_is_asked_for(way, clients):
    """include_usage goes into chat streams that have no stream_options, and nothing else is touched."""
    for name, wanted in (("openai-chat/stream-no-usage", {"include_usage": True}), ("openai-chat/stream", {"include_usage": True}),
                         ("openai-chat/plain", None), ("openai-responses/stream", None), ("anthropic-messages/stream", None)):
        case = cases[name]
        answer, ids = attempt(lambda: ask(clients, case))
        record(case, way, ids)
        body = json.loads(upstream.calls[-1][3])
        equal(body.get("stream_options"), wanted, f"{name} over {way}: stream_options as the provider sees them")
        equal({key: value for key, value in body.items() if key != "stream_options"},
              {key: value for key, value in case.request["body"].items() if key != "stream_options"}, f"{name} over {way}: the rest of the body")


def rows():
    ids = [number(item[2]) for item in expected]
    daemon.settled(item[2] for item in expected)
    found = {row["id"]: row for row in daemon.rows()}
    equal([item[0].name for item in expected if number(item[2]) not in found], [], "each answer has its row")
    equal(len(ids), len(set(ids)), "and each a row of its own")
    missing = {name for item in expected for name in item[0].record if name not in next(iter(found.values()))}
    equal(sorted(missing), [], "the table has all columns")
    for case, way, request_id, *more in expected:
        row = found.get(number(request_id), {})
        wanted = {**case.record, **(more[0] if more else {}), "status": case.answer["status"]}
        actual = {name: json.loads(row[name]) if name == "usage_other" and row[name] else row[name] for name in wanted if name in row}
        wrong = {name: (value, wanted[name]) for name, value in actual.items() if value != wanted[name]}
        if wrong:
            check(False, f"{case.name} over {way}: the row", wrong)
    check(True, f"{len(expected)} rows were compared")


for way in WAYS:
    clients = Clients(way)
    the_corpus(way, clients)
    contents(way, clients)
    error_answers(way, clients)
    usage_is_asked_for(way, clients)
    retries(way)
rows()
note(f"{len(upstream.calls)} requests came to the provider")
equal((daemon.stop(), empty.stop()), (0, 0), "SIGTERM ends both with 0")
done()
