# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The SDKs' clients, pointed at a daemon: over TCP with the token, over the Unix socket with a key of their own."""

import importlib

from harness import TOKEN

OWN = "sk-what-the-caller-carries-5d2e"
WAYS = ("TCP", "Unix socket")


def library(sdk):
    """The HTTP library the SDK is built on; newer ones use httpx2."""
    name = "httpx2" if hasattr(importlib.import_module(f"{sdk.__name__}._base_client"), "httpx2") else "httpx"
    return importlib.import_module(name)


def over(daemon, sdk, name, way, version="/v1", asynchronous=False, key=None, hook=None, address="base_url", **more):
    """A client of `sdk`'s class `name`, whose base URL is its argument `address`; `hook` is called with each response."""
    extra = {"event_hooks": {"response": [hook]}} if hook else {}
    if way == "Unix socket":
        kind = "AsyncHTTPTransport" if asynchronous else "HTTPTransport"
        extra["transport"] = getattr(library(sdk), kind)(uds=daemon.socket)
        base = "http://localhost" + version
    else:
        base = f"http://localhost:{daemon.port}" + version
    if extra:
        more["http_client"] = getattr(library(sdk), "AsyncClient" if asynchronous else "Client")(**extra)
    return getattr(sdk, name)(**{address: base}, api_key=key or (TOKEN if way == "TCP" else OWN), **more)
