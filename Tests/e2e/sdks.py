# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The real SDKs of OpenAI and Anthropic, over TCP with a token and over the Unix socket without one."""

import asyncio
import functools
import os
import subprocess
import sys

import anthropic
import openai

import clients
from clients import OWN, WAYS
from harness import IS_ROOT, KEY, TOKEN, Daemon, check, done, equal, place, skipped, wait
from upstream import TEXT, Upstream

ANTHROPIC_KEY = "sk-ant-the-real-key-77b0c2"
PROMPT = [{"role": "user", "content": "Good morning!"}]

upstream = Upstream()
home = place()
daemon = Daemon(home, f"""\
[auth]
token = "{TOKEN}"
[[providers]]
base_url = "{upstream.url}/v1"
kind = "openai"
api_key = "${{OPENAI_API_KEY}}"
[[providers]]
base_url = "{upstream.url}"
kind = "anthropic"
api_key = "${{ANTHROPIC_API_KEY}}"
""", tcp=True, env={"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": ANTHROPIC_KEY})


over = functools.partial(clients.over, daemon)


def last_row(what, stream, dialect, model="one", path=None, end="complete", status=200, attempts=1):
    """The newest row tells the request just made."""
    # Once all that the provider was asked stands in rows, and each of them is settled.
    def find():
        told = daemon.rows("SELECT sum(attempts) AS asked, min(end_state <> 'open') AS settled FROM requests")[0]
        if (told["asked"], told["settled"]) == (len(upstream.calls), 1):
            return daemon.rows("SELECT * FROM requests ORDER BY id DESC LIMIT 1")[0]
        return None

    row = wait(find, 3)
    if not check(row, f"{what}: there is a row"):
        return
    last_row.id = row["id"]
    told = (row["model"], row["stream"], row["status"], row["end_state"], row["dialect"], row["attempts"])
    equal(told, (model, stream, status, end, dialect, attempts), f"{what}: the row tells model, stream, status, end, dialect, attempts")


def saw_the_key(what, header, value):
    call = upstream.calls[-1]
    equal(call.field(header), value, f"{what}: the provider saw the real key")
    text = call.text()
    check(TOKEN.encode() not in text and OWN.encode() not in text, f"{what}: and nothing that the caller carries", text)
    others = [name for name in ("authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie")
              if name != header.lower() and call.field(name) is not None]
    equal(others, [], f"{what}: and no other credential")


def of_openai(way):
    who = f"OpenAI over {way}"
    client = over(openai, "OpenAI", way)
    raw = client.chat.completions.with_raw_response.create(model="one", messages=PROMPT)
    answer = raw.parse()
    equal((answer.choices[0].message.content, answer.usage.total_tokens), (TEXT, 9), f"{who}: plain")
    saw_the_key(who, "Authorization", f"Bearer {KEY}")
    last_row(f"{who}, plain", None, "openai")
    row = daemon.row(raw.headers["x-menshen-request-id"])
    check(row, f"{who}: x-menshen-request-id names the row")
    if way == "TCP":
        check(row["token_name"] and row["caller_uid"] is None, f"{who}: the row names the token", row)
    else:
        equal(row["caller_uid"], os.geteuid(), f"{who}: the row names the caller's uid")
        if IS_ROOT:
            skipped("the row names the program", "root's programs are not for others to see")
        else:
            equal(row["caller_exe"], os.path.realpath(sys.executable), f"{who}: the row names the program")

    chunks = list(client.chat.completions.create(model="one", messages=PROMPT, stream=True))
    equal("".join(chunk.choices[0].delta.content or "" for chunk in chunks), TEXT, f"{who}: streamed")
    last_row(f"{who}, streamed", 1, "openai")
    row, = daemon.rows(f"SELECT output_total FROM requests WHERE id = {last_row.id}")
    equal(row["output_total"], 6, f"{who}: its usage was asked for, and the program did not meet it")

    # Each chunk is read as the SDK's own examples do, at a provider that refuses the field that asks for it.
    before = len(upstream.calls)
    text = ""
    for chunk in client.chat.completions.create(model="strict", messages=PROMPT, stream=True):
        text += chunk.choices[0].delta.content or ""
    equal(text, TEXT, f"{who}: streamed by a provider that knows no stream_options")
    # The first way has found it out.
    asked = 2 if way == WAYS[0] else 1
    equal(["stream_options" in call.body.decode() for call in upstream.calls[before:]], [True, False][-asked:], f"{who}: asked again without them, once")
    last_row(f"{who}, strict", 1, "openai", model="strict", attempts=asked)

    with client.chat.completions.with_streaming_response.create(model="one", messages=PROMPT) as response:
        text = "".join(response.iter_text())
        check(response.status_code == 200 and TEXT in text, f"{who}: with_streaming_response", text)
    last_row(f"{who}, with_streaming_response", None, "openai")

    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
    answer = client.chat.completions.create(model="tools", messages=PROMPT, tools=tools, stream=False)
    call = answer.choices[0].message.tool_calls[0].function
    equal((call.name, call.arguments), ("weather", '{"city": "Xi\u2019an"}'), f"{who}: a tool call")
    last_row(f"{who}, tool call", 0, "openai", model="tools")

    equal([model.id for model in client.models.list()], ["one", "two"], f"{who}: models.list()")
    equal(upstream.calls[-1].path, "/v1/models", f"{who}: models.list() asks for /v1/models")
    last_row(f"{who}, models", None, "openai", model=None)

    for version in ("", "/v1", "/v1/", "/openai/v1"):
        bare = over(openai, "OpenAI", way, version=version)
        answer = bare.chat.completions.create(model="one", messages=PROMPT)
        equal((answer.choices[0].message.content, upstream.calls[-1].path), (TEXT, "/v1/chat/completions"),
              f"{who}: base_url with '{version}'")

    before = len(upstream.calls)
    try:
        client.chat.completions.create(model="bad-key", messages=PROMPT)
        check(False, f"{who}: the provider's own 401")
    except openai.AuthenticationError as error:
        equal((error.code, len(upstream.calls) - before), ("invalid_api_key", 1), f"{who}: the provider's own 401 passes as it is")

    asyncio.run(of_async_openai(way, who))


async def of_async_openai(way, who):
    client = over(openai, "AsyncOpenAI", way, asynchronous=True)
    answers = await asyncio.gather(*[client.chat.completions.create(model="one", messages=PROMPT) for _ in range(8)])
    equal([answer.choices[0].message.content for answer in answers], [TEXT] * 8, f"{who}: eight at once, async")

    async def streamed():
        stream = await client.chat.completions.create(model="burst", messages=PROMPT, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    equal(await asyncio.gather(*[streamed() for _ in range(8)]), ["....."] * 8, f"{who}: eight streams at once, async")
    await client.close()


def of_anthropic(way):
    who = f"Anthropic over {way}"
    client = over(anthropic, "Anthropic", way, version="")
    answer = client.messages.create(model="one", max_tokens=9, messages=PROMPT)
    equal((answer.content[0].text, answer.usage.output_tokens), (TEXT, 6), f"{who}: plain")
    equal(upstream.calls[-1].path, "/v1/messages", f"{who}: arrives at /v1/messages")
    check(upstream.calls[-1].field("anthropic-version"), f"{who}: anthropic-version passes")
    saw_the_key(who, "x-api-key", ANTHROPIC_KEY)
    last_row(f"{who}, plain", None, "anthropic")
    with client.messages.stream(model="one", max_tokens=9, messages=PROMPT) as stream:
        equal("".join(stream.text_stream), TEXT, f"{who}: streamed")
    last_row(f"{who}, streamed", 1, "anthropic")
    # As Claude Code does with ANTHROPIC_AUTH_TOKEN.
    before = len(upstream.calls)
    bearer = {"base_url": f"http://localhost:{daemon.port}", "auth_token": TOKEN if way == "TCP" else OWN}
    if way == "TCP":
        answer = anthropic.Anthropic(**bearer).messages.create(model="one", max_tokens=9, messages=PROMPT)
        equal((answer.content[0].text, len(upstream.calls) - before), (TEXT, 1), f"{who}: auth_token")
        saw_the_key(f"{who}, auth_token", "x-api-key", ANTHROPIC_KEY)


def refusals():
    # What came before is written before it.
    daemon.row(daemon.ask().id)

    def rows():
        return [row["id"] for row in daemon.rows("SELECT id FROM requests")]

    cases = [
        (openai.AuthenticationError, lambda: over(openai, "OpenAI", "TCP", key=OWN).chat.completions.create(model="one", messages=PROMPT)),
        (anthropic.AuthenticationError,
         lambda: over(anthropic, "Anthropic", "TCP", version="", key=OWN).messages.create(model="one", max_tokens=9, messages=PROMPT)),
    ]
    for kind, call in cases:
        who = f"{kind.__module__}.{kind.__name__}"
        sent, kept = len(upstream.calls), rows()
        try:
            call()
            check(False, f"{who} for an unknown token")
        except kind as error:
            check("token is not known" in str(error), f"{who} for an unknown token", error)
            equal((error.response.headers["x-should-retry"], error.response.headers["x-menshen-error"]), ("false", "unauthenticated"),
                  f"{who}: x-should-retry and x-menshen-error")
            check(error.request_id == error.response.headers["x-menshen-request-id"], f"{who}: request_id names the record")
            row = daemon.row(error.request_id)
            check(row and (row["status"], row["end_state"], row["problem"]) == (401, "refused", "unauthenticated"), f"{who}: the row", row)
        new = [row for row in rows() if row not in kept]
        equal((len(new), len(upstream.calls) - sent), (1, 0), f"{who}: asked once, not retried, and never at the provider")


def example():
    """The program of contrib/examples, as it stands."""
    path = os.path.join(os.path.dirname(__file__), "../../contrib/examples/chat.py")
    out = subprocess.run([sys.executable, path], env={"PATH": "/usr/bin:/bin", "MENSHEN_SOCKET": daemon.socket, "MODEL": "one"},
                         capture_output=True, text=True, timeout=20)
    equal(out.stdout, f"{TEXT}\n{TEXT}\n", "contrib/examples/chat.py over the Unix socket" + out.stderr[-300:])


for way in WAYS:
    of_openai(way)
    of_anthropic(way)
refusals()
example()
equal({row["client"] for row in daemon.rows("SELECT DISTINCT client FROM requests")} - {None}, {"openai-python", "anthropic-python"},
      "each row names the SDK that asked")
equal(daemon.rows("SELECT count(*) AS n FROM requests WHERE end_state NOT IN ('complete', 'refused')")[0]["n"], 0,
      "no request ended in another way")
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
done()
