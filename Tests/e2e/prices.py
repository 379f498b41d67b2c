# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""What 2,000 requests cost, against the genai-prices package: equal to the picodollar, or for a reason of the list below."""

import collections
import datetime
import json
import os
import random
import subprocess
from decimal import ROUND_HALF_UP, Decimal

from genai_prices import types
from genai_prices.data import providers

from harness import BINARY, check, done, equal, note, place

# What each difference is, and when it may occur. genai-prices prices a part that has no price of its own as the rest of its
# total, and a tier that it doesn't know as the standard one; menshen gives no amount then.
REASONS = {
    "a part without a price": lambda ask, reason: reason.startswith("no price for ") and lacks(ask, reason[13:]),
    "a tier without a price": lambda ask, reason: reason == f"no price for {ask['tier']}" and not variants(ask),
    "which of the audio or images was cached is not known":
        lambda ask, reason: "was cached is not known" in reason
        and any(ask["line"].get(part, 0) > 0 for part in ("cache_read", "cache_write")),
    "a model of whose price nothing is known": lambda ask, reason: not ask["model"].get_prices(ask["time"]).__dict__,
    "its price has units that no usage has": lambda ask, reason: reason.endswith(" has a price and is not reported"),
    "a count that costs something was not reported":
        lambda ask, reason: reason.startswith("the ") and reason.endswith(" was not reported"),
    "DeepSeek's peak hours are those of working days":
        lambda ask, reason: reason == "" and ask["provider"].id == "deepseek" and ask["time"].weekday() >= 5,
}
KEYS = {
    "cached": ["cache_read_mtok"],
    "cache writes": ["cache_write_mtok"], "cache writes of 1h": ["cache_write_1h_mtok"],
    "audio_in": ["input_audio_mtok"],
    "audio_out": ["output_audio_mtok"], "image_in": ["input_image_mtok"], "image_out": ["output_image_mtok"],
    "web_search": ["web_searches_kcount"], "input": ["input_mtok"], "output": ["output_mtok"],
    "audio_hour": ["audio_hours", "input_audio_hours"],
}
CONTEXTS = {
    "batch": [{"processing": "batch"}], "flex": [{"service_tier": "flex"}], "priority": [{"service_tier": "priority"}],
    "fast": [{"service_tier": "fast"}, {"speed": "fast"}],
}
UTC = datetime.timezone.utc


def variants(ask):
    """Prices of the tier that were in force."""
    return [
        part.prices for part in ask["model"].price_variants or []
        if part.when in CONTEXTS.get(ask["tier"], []) and (part.constraint is None or part.constraint.active(ask["time"]))
        and part.prices.__dict__
    ]


def lacks(ask, unit):
    """The price that was asked for has none of the unit."""
    found = variants(ask) if ask["tier"] else [ask["model"].get_prices(ask["time"])]
    return not any(key in prices.__dict__ for prices in found for key in KEYS.get(unit, []))


def named(provider, model):
    """A name under which both know the model: genai-prices by its clauses, menshen by its table's exact names."""
    name = model.id.lower()
    is_whole = " " not in name and not name.startswith("regional.") and name[-1] not in "-@.:/"
    return name if is_whole and provider._match_model(name) is model else None


def made(random, provider, model, name):
    """A request, mostly with parts that the model has prices for."""
    days = [datetime.date(2025, 1, 1), datetime.date(2026, 11, 27), datetime.date(2026, 11, 28), datetime.date(2027, 2, 1)]
    for part in [*(model.prices if isinstance(model.prices, list) else []), *(model.price_variants or [])]:
        if isinstance(part.constraint, types.StartDateConstraint):
            days += [part.constraint.start_date, part.constraint.start_date - datetime.timedelta(days=1)] * 3
    time = datetime.datetime.combine(random.choice(days), datetime.time(0), tzinfo=UTC)
    time += datetime.timedelta(seconds=random.randrange(86400))
    tiers = [
        tier for tier, contexts in CONTEXTS.items() for part in model.price_variants or []
        if part.when in contexts and part.prices.__dict__ and (part.constraint is None or part.constraint.active(time))
    ]
    tier = random.choice(tiers) if tiers and random.random() < 0.5 else random.choice([None] * 100 + list(CONTEXTS))
    prices = model.get_prices(time).__dict__
    has = lambda *keys: any(prices.get(key) is not None for key in keys) or random.random() < 0.02

    sizes = [0, 1, 7, 999, 12_345, 99_999, 100_001, 127_999, 199_999, 200_000, 200_001, 271_999, 272_000, 272_001, 1_000_000]
    line = {"provider": provider.id, "model": name, "time": int(time.timestamp())}
    usage = {}
    if has("input_mtok", "output_mtok"):
        total = random.choice(sizes)
        parts = {"cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "audio_in": 0, "image_in": 0}
        if has("cache_read_mtok") and random.random() < 0.6:
            parts["cache_read"] = random.randint(0, total)
        if has("cache_write_mtok") and random.random() < 0.5:
            parts["cache_write_5m"] = random.randint(0, total - parts["cache_read"])
        if has("cache_write_1h_mtok") and random.random() < 0.5:
            parts["cache_write_1h"] = random.randint(0, total - parts["cache_read"] - parts["cache_write_5m"])
        if has("input_audio_mtok") and random.random() < 0.4:
            parts["audio_in"] = random.randint(0, total - sum(parts.values()))
        if has("input_image_mtok") and random.random() < 0.4:
            parts["image_in"] = random.randint(0, total - sum(parts.values()))
        output = random.choice(sizes[:7]) if has("output_mtok") else 0
        sound = random.randint(0, output) if has("output_audio_mtok") and random.random() < 0.5 else 0
        images = random.randint(0, output - sound) if has("output_image_mtok") and random.random() < 0.5 else 0
        writes = {key: parts.pop(key) for key in ("cache_write_5m", "cache_write_1h")}
        line |= {key: count for key, count in parts.items() if count}
        line["cache_write"] = sum(writes.values())
        # What is kept as long as nobody asked for otherwise has no name of its own.
        if writes["cache_write_1h"]:
            line["usage_other"] = {"cache_write_1h": writes["cache_write_1h"]}
        line |= {"input_total": total, "output_total": output, "audio_out": sound, "image_out": images}
        usage = {
            "input_tokens": total, "output_tokens": output, "cache_read_tokens": parts["cache_read"],
            "cache_write_tokens": line["cache_write"],
            "cache_write_1h_tokens": writes["cache_write_1h"], "input_audio_tokens": parts["audio_in"],
            "output_audio_tokens": sound, "input_image_tokens": parts["image_in"], "output_image_tokens": images,
        }
    if has("audio_hours", "input_audio_hours"):
        line["seconds"] = random.choice([1, 9.5, 60, 3600.25])
        usage |= {"audio_seconds": line["seconds"], "input_audio_seconds": line["seconds"]}
    if has("web_searches_kcount") and random.random() < 0.3:
        usage["web_searches"] = random.randint(1, 20)
        line["usage_other"] = line.get("usage_other", {}) | {"web_search_requests": usage["web_searches"]}
    if tier:
        line["service_tier"] = tier
    usage = {key: count for key, count in usage.items() if count}
    return {"provider": provider, "model": model, "tier": tier, "time": time, "line": line, "usage": usage}


def theirs(ask):
    """In picodollars."""
    context = {}
    for own in CONTEXTS.get(ask["tier"], []):
        context |= own
    usage = types.Usage(**ask["usage"])
    total = ask["model"].calc_price(
        usage, ask["provider"], genai_request_timestamp=ask["time"], price_context=context or None).total_price
    return int((total * 10**12).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def ours(lines, home):
    result = subprocess.run(
        [BINARY, "prices", "cost", "--config", os.path.join(home, "config.toml")], text=True, capture_output=True,
        input="".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), timeout=120)
    return [json.loads(line) for line in result.stdout.splitlines()] if result.returncode == 0 else result.stderr


def compare():
    source = random.Random(20261127)
    models = [
        (provider, model, name) for provider in providers if provider.id != "openai-decisions"
        for model in provider.models if (name := named(provider, model))
    ]
    big = [entry for entry in models if entry[0].id in ("openai", "anthropic", "google", "mistral", "groq", "deepseek", "x-ai")]
    asks = []
    while len(asks) < 2000:
        ask = made(source, *source.choice(big if source.random() < 0.6 else models))
        if not ask["usage"]:
            continue
        try:
            ask["theirs"] = theirs(ask)
        except (ValueError, LookupError):
            # Usage that the package itself refuses.
            continue
        asks.append(ask)
    answers = ours([ask["line"] for ask in asks], place())
    if not check(len(answers) == len(asks), "each request has an answer", answers):
        return
    found, unexplained, same = collections.Counter(), [], 0
    for ask, answer in zip(asks, answers):
        amount, reason = answer.get("cost"), answer.get("cost_reason")
        if amount == ask["theirs"]:
            same += 1
            continue
        why = next((name for name, fits in REASONS.items() if fits(ask, reason or "")), None)
        if why:
            found[why] += 1
        else:
            unexplained.append((ask["line"], answer, ask["theirs"]))
    for why, count in found.most_common():
        note(f"{count}: {why}")
    equal(unexplained[:3], [], f"{len(unexplained)} of 2,000 costs differ for no reason of the list")
    check(same >= 1700, f"{same} of 2,000 costs are equal to the picodollar")
    check(len({ask["line"]["provider"] for ask in asks}) > 40, "all sellers are among them")


compare()
done()
