# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""Access as a whole, under the real SDKs over TCP: a token with a scope, a budget and an end. What each SDK makes of a refusal
is the class that its users catch, at once and without asking again; and the provider is asked for nothing that is refused."""

import os
import re
import signal
import subprocess
import threading
from datetime import date, timedelta

import anthropic
import openai
from google import genai
from google.genai import errors

from harness import (BINARY, IS_ROOT, JSON, KEY, NOBODY, Daemon, check, done, equal, free_port, identity, note, place, run, wait, write)
from upstream import TEXT, Upstream

PROMPT = [{"role": "user", "content": "Good morning!"}]
# Of one answer: 3 tokens at 0.001 and 6 at 0.005 dollars.
COST = 0.033

upstream = Upstream()
home = place()
port = free_port()
CONFIGURATION = f"""\
listen = [":{port}"]
[limits]
timezone = "UTC"
[server]
workers = 2
[failover]
breaker_failures = 0
""" + "".join(f"""\
[[providers]]
name = "{name}"
kind = "{name}"
base_url = "{upstream.url}{path}"
api_key = "{KEY}"
prices = "mine"
""" for name, path in (("openai", "/v1"), ("anthropic", ""), ("gemini", "/v1beta")))
config = write(f"{home}/config.toml", CONFIGURATION + '[auth]\ntoken = "a-token-to-begin-with"\n')
for model in ("one", "long"):
    made = run("prices", "set", model, "--provider", "mine", "--input", "1000", "--output", "5000", "--config", config)
    equal(made.returncode, 0, f"'{model}' has a price {made.stderr}")
daemon = Daemon(home, CONFIGURATION + '[auth]\ntoken = "a-token-to-begin-with"\n')
daemon.port = port


def command(*words):
    return run("token", *words, "--socket", daemon.socket, cwd=home, env=daemon.env)


def create(name, *words):
    made = command("create", name, *words)
    check(made.returncode == 0, f"'token create {name} {' '.join(words)}'", made.stderr)
    return made.stdout.decode().strip()


class Session:
    """A client as its users have it, with the SDK's own retries; counts what it was asked for."""

    def __init__(self, token):
        self.count = 0
        self.begin(token)

    def ask(self, model="one"):
        self.count += 1
        return self.say(model)


class OpenAI(Session):
    name = "openai"
    operation = "chat"
    classes = {401: openai.AuthenticationError, 403: openai.PermissionDeniedError, 429: openai.RateLimitError, "money": openai.RateLimitError}

    def begin(self, token):
        self.sdk = openai.OpenAI(base_url=f"http://localhost:{port}/v1", api_key=token)

    def say(self, model):
        answer = self.sdk.chat.completions.create(model=model, messages=PROMPT, max_tokens=6)
        return answer.choices[0].message.content


class Anthropic(Session):
    name = "anthropic"
    operation = "messages"
    # Money is 402 there, "billing_error".
    classes = {401: anthropic.AuthenticationError, 403: anthropic.PermissionDeniedError, 429: anthropic.RateLimitError, "money": anthropic.APIStatusError}

    def begin(self, token):
        self.sdk = anthropic.Anthropic(base_url=f"http://localhost:{port}", api_key=token)

    def say(self, model):
        return self.sdk.messages.create(model=model, messages=PROMPT, max_tokens=6).content[0].text


class Google(Session):
    name = "gemini"
    operation = "generate"
    classes = {401: errors.ClientError, 403: errors.ClientError, 429: errors.ClientError, "money": errors.ClientError}

    def begin(self, token):
        retry = genai.types.HttpRetryOptions(attempts=3, initial_delay=0.01, http_status_codes=[408, 500, 502, 503, 504])
        options = genai.types.HttpOptions(base_url=f"http://localhost:{port}", retry_options=retry)
        self.sdk = genai.Client(api_key=token, http_options=options)

    def say(self, model):
        most = genai.types.GenerateContentConfig(max_output_tokens=6)
        return self.sdk.models.generate_content(model=model, contents="Good morning!", config=most).text


SDKS = (OpenAI, Anthropic, Google)


def status(error):
    return getattr(error, "status_code", None) or getattr(error, "code", None)


def rows(token, least):
    """Of a token, once there are so many; a moment later there would be more, if somebody had asked again."""
    sql = "SELECT * FROM requests WHERE token_name = ? AND end_state <> 'open' ORDER BY id"
    wait(lambda: len(daemon.rows(sql, token)) >= least, 3)
    return daemon.rows(sql, token)


def refused(sdk, kind, code, name, sentence, words, *arguments):
    """The next request is refused as its SDK's users expect, once."""
    before, asked = sdk.count, len(upstream.calls)
    equal(len(rows(name, before)), before, f"{sdk.name}: {sentence}: each request has had its record so far")
    try:
        answer = sdk.ask(*arguments)
    except Exception as error:
        check(isinstance(error, sdk.classes[kind]), f"{sdk.name}: {sentence}: the class that its users catch", repr(error))
        equal(status(error), code, f"{sdk.name}: {sentence}: status")
        check(words in str(error), f"{sdk.name}: {sentence}: the reason", str(error))
    else:
        check(False, f"{sdk.name}: {sentence}", answer)
    after = rows(name, before + 1)
    equal((len(after) - before, len(upstream.calls) - asked), (1, 0), f"{sdk.name}: {sentence}: asked once, and the provider not at all")
    equal((after[-1]["status"], after[-1]["end_state"]), (code, "refused"), f"{sdk.name}: {sentence}: the record says so")


def scope(kind):
    name = f"scope-{kind.name}"
    sdk = kind(create(name, "--model", "one", "--provider", kind.name, "--operation", kind.operation))
    equal(sdk.ask(), TEXT, f"{kind.name}: what its token may do goes through")
    refused(sdk, 403, 403, name, "another model", "does not allow the model 'two'", "two")
    command("edit", name, "--model", "two")
    equal(sdk.ask("two"), TEXT, f"{kind.name}: an edit holds from the next request on")
    refused(sdk, 403, 403, name, "and the model of before", "does not allow the model 'one'")
    equal(command("revoke", name).returncode, 0, f"{kind.name}: it is revoked")
    refused(sdk, 401, 401, name, "after that, in the same session", "was revoked", "two")


def budget(kind):
    name = f"poor-{kind.name}"
    sdk = kind(create(name, "--budget", "0.15usd/day"))
    count = 0
    while count < 10:
        try:
            sdk.ask()
        except Exception:
            break
        count += 1
    check(1 <= count <= 0.15 / COST, f"{kind.name}: {count} requests fit into the budget")
    money = 402 if kind is Anthropic else 429
    refused(sdk, "money", money, name, "a budget that is used up", "0.15usd/day for token")
    spent = sum(row["cost"] or 0 for row in rows(name, count) if row["status"] == 200) / 1e12
    check(abs(spent - count * COST) < 1e-9, f"{kind.name}: the records say what it cost: {spent}")
    refused(sdk, 403, 403, name, "a model without a price", "menshen prices set", "two")


def requests(kind):
    name = f"few-{kind.name}"
    sdk = kind(create(name, "--requests", "2/day"))
    equal([sdk.ask(), sdk.ask()], [TEXT, TEXT], f"{kind.name}: two requests are admitted")
    refused(sdk, 429, 429, name, "the third", "2 requests/day")


def parallel():
    token = create("many", "--requests", "20/day")
    asked, outcomes = len(upstream.calls), []
    start = threading.Barrier(40)

    def ask(kind):
        sdk = kind(token)
        start.wait()
        try:
            outcomes.append(sdk.ask())
        except sdk.classes[429] as error:
            outcomes.append(status(error))

    threads = [threading.Thread(target=ask, args=(SDKS[index % 3],)) for index in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    equal((outcomes.count(TEXT), outcomes.count(429), len(upstream.calls) - asked), (20, 20, 20),
          "of 40 SDKs at once 20 are admitted, and the provider is asked 20 times")
    token = create("two", "--concurrency", "2")
    sdk = openai.OpenAI(base_url=f"http://localhost:{port}/v1", api_key=token, max_retries=0)
    streams = [sdk.chat.completions.create(model="long", messages=PROMPT, stream=True, max_tokens=9) for _ in range(2)]
    for stream in streams:
        next(iter(stream))
    try:
        sdk.chat.completions.create(model="one", messages=PROMPT)
        check(False, "two at a time")
    except openai.RateLimitError as error:
        check("2 requests under way" in str(error), "a third at the same time is refused", str(error))
        equal(error.response.headers.get("x-should-retry"), "true", "and worth another try")
    for stream in streams:
        stream.close()
    last = OpenAI(token)
    check(wait(lambda: quiet(last.ask) == TEXT, 10), "once one has left there is a place again")


def quiet(ask):
    try:
        return ask()
    except openai.RateLimitError:
        return None


def cut():
    sdk = OpenAI(create("cut", "--budget", "60output_tokens/day cut")).sdk
    count = 0
    try:
        for _ in sdk.chat.completions.create(model="long", messages=PROMPT, stream=True, max_tokens=20):
            count += 1
        check(False, "a stream that passes a limit which cuts ends", count)
    except openai.APIError as error:
        check("was cut" in str(error), "a stream that passes a limit which cuts ends with the SDK's error", repr(error))
    check(20 < count < 150, f"it had {count} events")
    row = rows("cut", 1)[-1]
    equal((row["status"], row["end_state"], row["problem"]), (200, "aborted", "limit_reached"), "the record says why")


def explained():
    """`menshen policy test` says beforehand what they will hear."""
    command("create", "known", "--model", "one", "--budget", "5usd/day")

    def test(*words):
        return run("policy", "test", "--config", daemon.config, "--socket", daemon.socket, "--token", "known", *words, cwd=home, env=daemon.env)
    allowed, refusal = test("--model", "one"), test("--model", "two")
    check(allowed.returncode == 0 and b"5usd/day" in allowed.stdout, "policy test knows what a token may do", allowed)
    check(refusal.returncode == 1 and b"does not allow the model 'two'" in refusal.stdout, "and what it may not", refusal)


def recipes():
    """Those of contrib/manual/access.md, as they are typed there; only who the teacher is and when the class ends is this machine's."""
    place_of = place()
    name = str(NOBODY if IS_ROOT else os.getuid())
    manual = os.path.join(os.path.dirname(__file__), "../../contrib/manual/access.md")
    with open(manual) as file:
        text = file.read().replace("2027-07-31", (date.today() + timedelta(200)).isoformat()).replace('user = "teacher"', f'user = "{name}"')
    equal(text.count("\n## "), 6, "there are six recipes")
    providers = "".join(f"""\
[[providers]]
name = "{each}"
kind = "{kind}"
base_url = "{upstream.url}{path}"
api_key = "{KEY}"
""" for each, kind, path in (("openai", "openai", "/v1"), ("claude", "anthropic", "")))
    socket = f"{place_of}/run/menshen/menshen.sock"
    school = Daemon(place_of, providers, path=socket)
    os.makedirs(f"{place_of}/bin", exist_ok=True)
    os.symlink(BINARY, f"{place_of}/bin/menshen")
    os.makedirs(f"{place_of}/config/menshen")
    os.symlink(school.config, f"{place_of}/config/menshen/config.toml")
    write(f"{place_of}/names.txt", "ada\ngrace\n")
    env = {**school.env, "PATH": f"{place_of}/bin:" + os.environ["PATH"], "USER": name}

    def typed(words, sentence):
        done = subprocess.run(["bash", "-eu", "-c", words], cwd=place_of, env=env, capture_output=True, timeout=60, **identity())
        check(done.returncode == 0, sentence, done.stdout + done.stderr)
        return done.stdout.decode()

    made = {}
    for title, recipe in [each.split("\n", 1) for each in text.split("\n## ")[1:]]:
        for language, block in re.findall(r"```(\w+)\n(.*?)```", recipe, re.DOTALL):
            if language == "toml":
                write(school.config, block + providers)
                checked = run("config", "check", school.config, cwd=place_of, env=school.env)
                equal(checked.returncode, 0, f"{title}: the configuration is one {checked.stderr}")
                school.signal(signal.SIGHUP)
            elif block.startswith("sqlite3"):
                sql = re.search(r'"(SELECT .*)"', block).group(1)
                check(wait(lambda: school.rows(sql), 3), f"{title}: the query finds who still shows it")
            else:
                for line in typed(block, f"{title}: as it is typed").split():
                    if line.startswith("mns_"):
                        made[title] = line
        for words in re.findall(r"`(menshen policy test [^`]*)`", recipe):
            check("Allowed." in typed(words, f"{title}: {words}"), f"{title}: and it is allowed")
        if title == "An agent in a sandbox":
            # Whoever has the leaked token goes on with it.
            typed("menshen token revoke --now ci", "what leaked is taken away")
            shown = {**JSON, "Authorization": f"Bearer {made['CI']}"}
            equal(school.ask(fields=shown).status, 401, "and refused")
            made["again"] = typed("menshen token create ci", "its name may be given out again")
    equal(set(made) - {"again"}, {"An app on your laptop", "A team of three", "CI", "A class of students", "An agent in a sandbox"},
          "each recipe that gives out tokens has printed them")
    school.stop()


for kind in SDKS:
    scope(kind)
    budget(kind)
    requests(kind)
parallel()
cut()
explained()
recipes()
equal(daemon.stop(), 0, "SIGTERM ends it with 0")
note(f"{len(upstream.calls)} requests reached the provider")
done()
