#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors

# Streams one answer through menshen: over the Unix socket, or over TCP if PROXY_TOKEN is set.
set -eu
body='{"model":"'${MODEL:-gpt-4.1-mini}'","stream":true,"messages":[{"role":"user","content":"Good morning!"}]}'
if [ -n "${PROXY_TOKEN-}" ]; then
    # From a file, because arguments show in ps.
    printf 'header = "Authorization: Bearer %s"\n' "$PROXY_TOKEN" |
        curl -sSN --config - http://localhost:8080/v1/chat/completions -H 'Content-Type: application/json' -d "$body"
else
    curl -sSN --unix-socket "${MENSHEN_SOCKET:-${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/menshen/menshen.sock}" \
        http://localhost/v1/chat/completions -H 'Content-Type: application/json' -d "$body"
fi
