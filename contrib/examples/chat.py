#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors

"""Asks one question, plain and streamed, through menshen. pip install openai

chat.py                         over the Unix socket, without any key
PROXY_TOKEN=… chat.py --tcp     over http://localhost:8080, with the proxy token
"""

import os
import sys

from openai import DefaultHttpxClient, OpenAI

try:  # openai 3
    import httpx2 as httpx
except ImportError:
    import httpx


def client() -> OpenAI:
    if "--tcp" in sys.argv:
        return OpenAI(base_url="http://localhost:8080/v1", api_key=os.environ["PROXY_TOKEN"])
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    socket = os.environ.get("MENSHEN_SOCKET", f"{runtime}/menshen/menshen.sock")
    # The SDK insists on a key; menshen takes it away.
    return OpenAI(
        base_url="http://localhost/v1",
        api_key="unused",
        http_client=DefaultHttpxClient(transport=httpx.HTTPTransport(uds=socket)),
    )


def main() -> None:
    model = os.environ.get("MODEL", "gpt-4.1-mini")
    question = [{"role": "user", "content": "Good morning!"}]
    with client() as openai:
        answer = openai.chat.completions.create(model=model, messages=question)
        print(answer.choices[0].message.content)
        for chunk in openai.chat.completions.create(model=model, messages=question, stream=True):
            if chunk.choices:
                print(chunk.choices[0].delta.content or "", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
