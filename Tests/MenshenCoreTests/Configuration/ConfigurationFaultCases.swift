// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

private let provider = "[[providers]]\nbase_url = \"https://api.openai.com/v1\"\n"

private let bedrock = "[[providers]]\nbase_url = \"https://bedrock-runtime.us-east-1.amazonaws.com\"\n"

let configurationFaults: [FaultCase] = [
    FaultCase(
        name: "empty", text: "",
        expected: [
            "c.toml: error: no provider is configured",
            "  hint: add [[providers]] with base_url = \"https://api.openai.com/v1\" and a key",
        ]),
    FaultCase(
        name: "syntax", text: "listen = \"unclosed\nx = 1",
        expected: [
            "c.toml:1:19: error: this is not TOML: string: unescaped control characters other than TAB (U+0009) are explicitly prohibited"
        ]),
    FaultCase(
        name: "unquoted key", text: "\(provider)api_key = sk-CANARY",
        expected: [
            "c.toml:3:11: error: this is not TOML: value: could not determine value type",
            "  hint: put text between double quotes",
        ]),
    FaultCase(
        name: "bare word", text: "\(provider)api_key = tCANARY",
        expected: [
            "c.toml:3:12: error: this is not TOML: boolean: expected 'true', saw something else",
            "  hint: put text between double quotes",
        ]),
    FaultCase(
        name: "a key where its file belongs", text: "\(provider)api_key_file = \"sk-CANARY-1234567890\"",
        expected: [
            "c.toml:3:16: error: providers[].api_key_file holds what looks like a key, not the name of its place",
            "  hint: put the key into a file of its own (mode 0600) and give that file's path",
        ]),
    FaultCase(
        name: "an unknown use of WebSockets", text: "\(provider)websocket = \"of\"",
        expected: [
            "c.toml:3:13: error: providers[].websocket must be \"auto\" or \"off\"",
            "  hint: did you mean \"off\"?",
        ]),
    FaultCase(
        name: "duplicate key", text: "verbose = true\nverbose = false",
        expected: [
            "c.toml:2:11: error: this is not TOML: key-value pair: cannot redefine existing boolean 'verbose'"
        ]),
    FaultCase(
        name: "misspelt key", text: "\(provider)[server]\nwrokers = 2",
        expected: [
            "c.toml:4:1: error: unknown key \"wrokers\" in [server]",
            "  hint: did you mean workers?",
        ]),
    FaultCase(
        name: "misspelt table", text: "\(provider)[sever]\nworkers = 2",
        expected: [
            "c.toml:3:2: error: unknown table \"sever\"",
            "  hint: did you mean server?",
        ]),
    FaultCase(
        name: "key in the wrong table", text: "workers = 2\n\(provider)listen = \":1\"",
        expected: [
            "c.toml:1:1: error: unknown key \"workers\"",
            "  hint: workers belongs in [server]",
            "c.toml:4:1: error: unknown key \"listen\" in [[providers]]",
            "  hint: listen belongs at the top, before the first [table]",
        ]),
    FaultCase(
        name: "key out of a provider", text: "\(provider)[auth]\nbase_url = \"x\"",
        expected: [
            "c.toml:4:1: error: unknown key \"base_url\" in [auth]",
            "  hint: base_url belongs in [[providers]]",
        ]),
    FaultCase(
        name: "key nobody knows", text: "\(provider)[auth]\n\"zz\\u001b[2J\" = 1",
        expected: [
            "c.toml:4:1: error: unknown key \"zz?[2J\" in [auth]"
        ]),
    FaultCase(
        name: "wrong type", text: "verbose = \"CANARY\"\n\(provider)[server]\nworkers = 1.5",
        expected: [
            "c.toml:1:11: error: verbose must be true or false, not a string",
            "c.toml:5:11: error: server.workers must be an integer from 1 to 64, not a float",
        ]),
    FaultCase(
        name: "out of range", text: "\(provider)weight = -1\n[server]\nworkers = 65",
        expected: [
            "c.toml:3:10: error: providers[].weight must be an integer from 0 to 1000000",
            "c.toml:5:11: error: server.workers must be an integer from 1 to 64",
        ]),
    FaultCase(
        name: "size", text: "\(provider)[server]\nmax_body_bytes = \"64MB\"\nmax_header_bytes = 10",
        expected: [
            "c.toml:4:18: error: server.max_body_bytes must be a size from 1B to 16GiB",
            "  hint: write \"64MiB\", \"32KiB\" or a number of bytes",
            "c.toml:5:20: error: server.max_header_bytes must be a size from 1KiB to 1MiB",
            "  hint: write \"64MiB\", \"32KiB\" or a number of bytes",
        ]),
    FaultCase(
        name: "duration", text: "\(provider)[server]\nidle_exit = \"ten\"\nheader_timeout = 0",
        expected: [
            "c.toml:4:13: error: server.idle_exit must be a duration up to 366d, or \"off\"",
            "  hint: write \"500ms\", \"10s\", \"10min\", \"1h30m\", \"2d\" or a number of seconds",
            "c.toml:5:18: error: server.header_timeout must be a duration above 0 and up to 366d",
            "  hint: write \"500ms\", \"10s\", \"10min\", \"1h30m\", \"2d\" or a number of seconds",
        ]),
    FaultCase(
        name: "table expected", text: "server = 1\nproviders = \"x\"",
        expected: [
            "c.toml:1:10: error: server must be a table",
            "  hint: write [server]",
            "c.toml:2:13: error: providers must be an array of tables",
            "  hint: write [[providers]]",
        ]),
    FaultCase(
        name: "no providers", text: "providers = []",
        expected: [
            "c.toml:1:1: error: no provider is configured",
            "  hint: add [[providers]] with base_url = \"https://api.openai.com/v1\" and a key",
        ]),
    FaultCase(
        name: "no base_url", text: "[[providers]]\nname = \"a\"",
        expected: [
            "c.toml:1:1: error: [[providers]] needs a base_url",
            "  hint: write base_url = \"https://api.openai.com/v1\" or \"unix:///run/llm.sock:/v1\"",
        ]),
    FaultCase(
        name: "bad base_url", text: "[[providers]]\nbase_url = \"https://u:CANARY@x/\"",
        expected: [
            "c.toml:2:12: error: providers[].base_url is not an address of a provider",
            "  hint: write base_url = \"https://api.openai.com/v1\" or \"unix:///run/llm.sock:/v1\"",
        ]),
    FaultCase(
        name: "two key sources", text: "\(provider)api_key_file = \"k\"\napi_key = \"${KEY}\"",
        expected: [
            "c.toml:4:1: error: a provider has one source for its key, and api_key_file is given already",
            "  hint: remove one of the two",
        ]),
    FaultCase(
        name: "key in plain text", text: "\(provider)api_key = \"sk-CANARY\"",
        expected: [
            "c.toml:3:11: warning: providers[].api_key stands in the configuration in plain text",
            "  hint: put it into a file of its own (mode 0600) and name that with api_key_file, or write ${NAME}",
        ]),
    FaultCase(
        name: "key with a line break", text: "\(provider)api_key = \"${BROKEN}\"",
        expected: [
            "c.toml:3:11: error: providers[].api_key holds a space, a line break or a character outside ASCII",
            "  hint: look for a line break at the end of the variable's value",
        ]),
    FaultCase(
        name: "key with a space", text: "\(provider)api_key = \"CANARY x\"",
        expected: [
            "c.toml:3:11: error: providers[].api_key holds a space, a line break or a character outside ASCII"
        ]),
    FaultCase(
        name: "empty key", text: "\(provider)api_key = \"${EMPTY}\"",
        expected: [
            "c.toml:3:11: warning: providers[].api_key is empty: requests go out without a key",
            "  hint: remove it if the provider wants none",
        ]),
    FaultCase(
        name: "unset variable", text: "\(provider)api_key = \"${NOT_SET}\"",
        expected: [
            "c.toml:3:11: error: providers[].api_key: the environment variable NOT_SET is not set",
            "  hint: a service does not see what a shell exports; api_key_file = \"FILE\" works everywhere",
        ]),
    FaultCase(
        name: "bad variables", text: "\(provider)api_key = \"${sk-CANARY}\"\nproxy = \"${X\"",
        expected: [
            "c.toml:3:11: error: providers[].api_key: what stands between \"${\" and \"}\" is not a variable's name",
            "  hint: write ${NAME}, ${NAME:-default}, or \"$${\" for a literal \"${\"",
            "c.toml:4:9: error: providers[].proxy: \"${\" without \"}\"",
            "  hint: write \"$${\" for a literal \"${\"",
        ]),
    FaultCase(
        name: "variable without braces", text: "\(provider)api_key = \"$OPENAI_API_KEY\"",
        expected: [
            "c.toml:3:11: warning: providers[].api_key begins with \"$\" and is taken as it stands",
            "  hint: write ${NAME}, with braces, to fill in a variable",
        ]),
    FaultCase(
        name: "credential path", text: "\(provider)api_key_credential = \"/etc/CANARY\"",
        expected: [
            "c.toml:3:22: error: providers[].api_key_credential is not the name of a systemd credential",
            "  hint: write the name that LoadCredential= gives it, not a path",
        ]),
    FaultCase(
        name: "empty command", text: "\(provider)api_key_command = []\napi_key_command_ttl = \"1h\"",
        expected: [
            "c.toml:3:19: error: providers[].api_key_command names no program",
            "  hint: write api_key_command = [\"pass\", \"show\", \"openai\"]",
        ]),
    FaultCase(
        name: "command as text", text: "\(provider)api_key_command = \"pass CANARY\"",
        expected: [
            "c.toml:3:19: error: providers[].api_key_command must be an array of strings, not a string"
        ]),
    FaultCase(
        name: "ttl alone", text: "\(provider)api_key_command_ttl = \"1h\"",
        expected: [
            "c.toml:3:1: warning: providers[].api_key_command_ttl has no effect without api_key_command"
        ]),
    FaultCase(
        name: "kind", text: "\(provider)kind = \"opanai\"",
        expected: [
            "c.toml:3:8: error: providers[].kind must be one of openai, anthropic, gemini, azure, bedrock",
            "  hint: did you mean \"openai\"?",
        ]),
    FaultCase(
        name: "signing without a secret or a region",
        text: "[[providers]]\nbase_url = \"http://localhost:1\"\nkind = \"bedrock\"\naws_access_key_id = \"AKIA1\"",
        expected: [
            "c.toml:4:1: error: providers[].aws_access_key_id needs the secret access key that belongs to it",
            "  hint: put it into a file of its own (mode 0600) and name that with api_key_file",
            "c.toml:4:1: error: providers[].region is needed, because base_url does not name one",
            "  hint: write region = \"us-east-1\"",
        ]),
    FaultCase(
        name: "signing for another kind",
        text: "\(provider)api_key_file = \"k\"\naws_access_key_id = \"AKIA1\"\nregion = \"us-east-1\"",
        expected: ["c.toml:4:1: error: providers[].aws_access_key_id is for kind \"bedrock\" only"]),
    FaultCase(
        name: "signing with what is none",
        text:
            "\(bedrock)api_key_file = \"k\"\naws_access_key_id = \"CANARY/x\"\nregion = \"CANARY x\"\naws_session_token = \"${BROKEN}\"",
        expected: [
            "c.toml:4:21: error: providers[].aws_access_key_id is not the id of an access key",
            "  hint: it looks like \"AKIAIOSFODNN7EXAMPLE\"; the secret belongs to api_key_file",
            "c.toml:5:10: error: providers[].region is not the name of a region",
            "  hint: write region = \"us-east-1\"",
            "c.toml:6:21: error: providers[].aws_session_token holds a space, a line break or a character outside ASCII",
            "  hint: look for a line break at the end of the variable's value",
        ]),
    FaultCase(
        name: "parts of a signature without it",
        text: "\(bedrock)api_key_file = \"k\"\nregion = \"us-east-1\"\naws_session_token = \"CANARY\"",
        expected: [
            "c.toml:4:1: warning: providers[].region has no effect without aws_access_key_id",
            "c.toml:5:1: warning: providers[].aws_session_token has no effect without aws_access_key_id",
        ]),
    FaultCase(
        name: "names",
        text:
            "\(provider)name = \"a\"\n\(provider)name = \"a\"\n\(provider)name = \"A b\"\n\(provider)name = \"v1beta\"\n\(provider)name = \"_menshen\"\n\(provider)name = \"chat\"",
        expected: [
            "c.toml:6:8: error: providers[].name: another provider has this name, on line 3",
            "c.toml:9:8: error: providers[].name must begin with a-z or 0-9, go on with these or \".\", \"_\", \"-\", and have 64 characters at most",
            "  hint: it is part of paths, as in /NAME/v1/chat/completions",
            "c.toml:12:8: error: providers[].name is a word that callers' paths begin with",
            "  hint: choose another name, such as \"openai-2\"",
            "c.toml:15:8: error: providers[].name is a word that callers' paths begin with",
            "  hint: choose another name, such as \"openai-2\"",
            "c.toml:18:8: error: providers[].name is a word that callers' paths begin with",
            "  hint: choose another name, such as \"openai-2\"",
        ]),
    FaultCase(
        name: "all weights zero", text: "\(provider)weight = 0\n\(provider)weight = 0",
        expected: [
            "c.toml:3:10: error: every provider has weight 0, so no request can go anywhere",
            "  hint: remove weight from one of them",
        ]),
    FaultCase(
        name: "headers",
        text: "\(provider)headers = { Host = \"x\", \"a b\" = \"CANARY\", X = \"CANARY\\r\\ny: z\", x = \"1\", y = 2 }",
        expected: [
            "c.toml:3:13: error: providers[].headers: menshen writes the header host itself",
            "  hint: remove it",
            "c.toml:3:25: error: providers[].headers: this is not the name of a header",
            "c.toml:3:47: error: providers[].headers: the value holds a line break or another control character",
            "c.toml:3:65: error: providers[].headers: x is given twice",
            "c.toml:3:78: error: providers[].headers must be a table of strings, not an integer",
        ]),
    FaultCase(
        name: "proxy", text: "\(provider)proxy = \"ftp://u:CANARY@p\"",
        expected: [
            "c.toml:3:9: error: providers[].proxy is not a proxy's address",
            "  hint: write scheme://host:port with one of the schemes http, https, socks4, socks4a, socks5, socks5h",
        ]),
    FaultCase(
        name: "plain http", text: "[[providers]]\nbase_url = \"http://llm.example/v1\"\napi_key = \"${KEY}\"",
        expected: [
            "c.toml:2:12: warning: providers[].base_url is plain http, so the key travels unencrypted",
            "  hint: use https://",
        ]),
    FaultCase(
        name: "empty path", text: "\(provider)ca_file = \"\"\napi_key_file = \"a\\u0000b\"",
        expected: [
            "c.toml:3:11: error: providers[].ca_file is empty",
            "c.toml:4:16: error: providers[].api_key_file holds a NUL character",
        ]),
    FaultCase(
        name: "listen",
        text: "listen = [\"8080\", \":0\", \":80\", \"127.0.0.1:80\"]\n[auth]\ntoken = \"${TOKEN}\"\n\(provider)",
        expected: [
            "c.toml:1:11: error: listen: this is not an address to listen on",
            "  hint: write \":8080\", \"127.0.0.1:8080\" or \"[::1]:8080\"",
            "c.toml:1:19: error: listen: this is not an address to listen on",
            "  hint: write \":8080\", \"127.0.0.1:8080\" or \"[::1]:8080\"",
            "c.toml:1:32: error: listen: an earlier entry covers this address and port",
        ]),
    FaultCase(
        name: "listen without a token", text: "listen = \":80\"\n\(provider)",
        expected: [
            "c.toml:1:10: error: listen: TCP callers need a token, and [auth] has none",
            "  hint: put one into a file of its own (mode 0600) and set token_file = \"token\" in [auth], or give one out by 'menshen token create NAME' while menshen runs on its Unix socket",
        ]),
    FaultCase(
        name: "listen in the open",
        text: "listen = [\":80\", \"0.0.0.0:81\"]\n[auth]\ntoken = \"${TOKEN}\"\n\(provider)",
        expected: [
            "c.toml:1:18: error: listen: other machines can reach this address",
            "  hint: listen on loopback (\":81\"), or set enable = true in [auth] and unsafe_listen = true in [server]",
        ]),
    FaultCase(
        name: "listen in the open unauthenticated",
        text: "listen = \"0.0.0.0:81\"\n[auth]\nenable = false\n[server]\nunsafe_listen = true\n\(provider)",
        expected: [
            "c.toml:1:10: error: listen: other machines can reach this address",
            "  hint: listen on loopback (\":81\"), or set enable = true in [auth] and unsafe_listen = true in [server]",
        ]),
    FaultCase(
        name: "authentication off", text: "listen = \":80\"\n[auth]\nenable = false\ntoken = \"\"\n\(provider)",
        expected: [
            "c.toml:1:10: warning: listen: [auth] enable is false: any local user can spend the key",
            "  hint: set enable = true and a token in [auth], or use the Unix socket",
        ]),
    FaultCase(
        name: "tokens",
        text:
            "[auth]\ntoken = \"${TOKEN}\"\n[[auth.tokens]]\nname = \"default\"\ntoken = \"${TOKEN}\"\n[[auth.tokens]]\ntoken = \"CANARY\"\n[[auth.tokens]]\nname = \"x\"\n\(provider)",
        expected: [
            "c.toml:4:8: error: auth.tokens[].name: another token has this name",
            "  hint: [auth] token is called \"default\"",
            "c.toml:5:9: error: auth.tokens[].token: this is the same token as on line 2",
            "c.toml:6:1: error: [[auth.tokens]] needs a name",
            "c.toml:7:9: warning: auth.tokens[].token is shorter than 8 characters",
            "  hint: take a random one: openssl rand -hex 16",
            "c.toml:8:1: error: [[auth.tokens]] needs a token",
        ]),
    FaultCase(
        name: "empty token", text: "[auth]\ntoken = \"${EMPTY}\"\n\(provider)",
        expected: [
            "c.toml:2:9: error: auth.token is empty",
            "  hint: remove it, or set it to a long random text",
        ]),
    FaultCase(
        name: "bad token", text: "[auth]\ntoken = \"CANARY ü\"\n\(provider)",
        expected: [
            "c.toml:2:9: error: auth.token holds a space, a line break or a character outside ASCII"
        ]),
    FaultCase(
        name: "password without a user", text: "[auth]\npassword = \"CANARY\"\n\(provider)",
        expected: [
            "c.toml:2:1: error: auth.password needs a user",
            "  hint: set user = \"admin\" in [auth]",
        ]),
    FaultCase(
        name: "user with a colon", text: "[auth]\nuser = \"a:b\"\n\(provider)",
        expected: [
            "c.toml:2:8: error: auth.user holds a colon or a control character"
        ]),
    FaultCase(
        name: "origins",
        text:
            "[server]\nallowed_origins = [\"*\", \"http://x/\", \"null\"]\nallowed_hosts = [\"http://x\"]\n\(provider)",
        expected: [
            "c.toml:2:20: error: server.allowed_origins: this is not an origin",
            "  hint: write scheme://host or scheme://host:port without a path, as \"http://localhost:5173\"",
            "c.toml:2:25: error: server.allowed_origins: this is not an origin",
            "  hint: write scheme://host or scheme://host:port without a path, as \"http://localhost:5173\"",
            "c.toml:2:38: error: server.allowed_origins: this is not an origin",
            "  hint: write scheme://host or scheme://host:port without a path, as \"http://localhost:5173\"",
            "c.toml:3:18: error: server.allowed_hosts: this is not a host name",
            "  hint: write \"llm.example\" or \"llm.example:8080\", as the Host header has it",
        ]),
    FaultCase(
        name: "failover", text: "[failover]\nenable = 1\ndeadline = 0\n\(provider)",
        expected: [
            "c.toml:2:10: error: failover.enable must be true or false, not an integer",
            "c.toml:3:12: error: failover.deadline must be a duration above 0 and up to 366d",
            "  hint: write \"500ms\", \"10s\", \"10min\", \"1h30m\", \"2d\" or a number of seconds",
        ]),
    FaultCase(
        name: "older timeout",
        text: "[upstream]\ntimeout = 5\nfirst_byte_timeout = 6\n[http_client]\ntimeout = 7\n\(provider)",
        expected: [
            "c.toml:2:1: warning: upstream.timeout is ignored: a newer name of it is given too",
            "  hint: remove it; first_byte_timeout applies",
            "c.toml:5:1: warning: http_client.timeout is ignored: a newer name of it is given too",
            "  hint: remove it; upstream.first_byte_timeout applies",
        ]),
    FaultCase(
        name: "comma missing", text: "\(provider)headers = { a = \"CANARY\" b = \"CANARY\" }",
        expected: [
            "c.toml:3:26: error: this is not TOML: inline table: expected comma or closing '}', saw 'b'"
        ]),
]
