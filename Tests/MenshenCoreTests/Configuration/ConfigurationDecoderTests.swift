// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Crypto
import MenshenCore
import Testing

@Suite struct ConfigurationDecoderTests {
    private let provider = "[[providers]]\nbase_url = \"https://api.openai.com/v1\"\n"

    private func configuration(_ text: String, file: String = "/etc/menshen/config.toml") throws -> Configuration {
        let decoded = decodeConfiguration(text, file: file)
        return try #require(decoded.configuration, "\(decoded.diagnostics)")
    }

    @Test func `a minimal text gives every default`() throws {
        let configuration = try configuration(provider)
        let defaults = Configuration()
        #expect(configuration.listen.isEmpty)
        #expect(configuration.server == defaults.server)
        #expect(configuration.upstream == defaults.upstream)
        #expect(configuration.storage == defaults.storage)
        #expect(configuration.logging == defaults.logging)
        #expect(configuration.authentication.enable)
        let provider = try #require(configuration.providers.first)
        #expect(provider.name == "openai")
        #expect(provider.turn.weight == 1)
        #expect(provider.connections.http2)
    }

    @Test func `every setting arrives in its field`() throws {
        let configuration = try configuration(
            """
            listen = [":8080", "[::1]:8081", "0.0.0.0:8082"]
            verbose = true
            [server]
            workers = 3
            allowed_hosts = ["LLM.example:8080", "[::1]"]
            allowed_origins = ["http://localhost:5173", "tauri://localhost"]
            unsafe_listen = true
            max_header_bytes = 2048
            max_body_bytes = "1GiB"
            max_connections = 5
            header_timeout = "500ms"
            idle_timeout = 60
            idle_exit = "off"
            drain_timeout = "1min30s"
            [auth]
            user = "admin"
            password = "pass word"
            token = "${TOKEN}"
            [[auth.tokens]]
            name = "laptop"
            token = "${LAPTOP_TOKEN}"
            [upstream]
            connect_timeout = 1
            first_byte_timeout = 2
            gap_timeout = 3
            total_timeout = 4
            max_idle_connections = 0
            [storage]
            retention_days = 0
            [storage.sqlite]
            path = "data/menshen.db"
            [logging]
            log_request_body = true
            log_response_body = true
            max_body_bytes = 0
            \(provider)
            """)
        #expect(configuration.listen.map(\.port) == [8080, 8081, 8082])
        #expect(configuration.verbose)
        let server = configuration.server
        #expect(server.workers == 3)
        #expect(server.allowedHosts == ["llm.example:8080", "[::1]"])
        #expect(server.allowedOrigins == ["http://localhost:5173", "tauri://localhost"])
        #expect(server.unsafeListen)
        #expect(server.maxHeaderBytes == 2048)
        #expect(server.maxBodyBytes == 1 << 30)
        #expect(server.maxConnections == 5)
        #expect(server.headerTimeout == .milliseconds(500))
        #expect(server.idleTimeout == .seconds(60))
        #expect(server.idleExit == nil)
        #expect(server.drainTimeout == .seconds(90))
        let authentication = configuration.authentication
        #expect(authentication.user == "admin")
        #expect(authentication.password?.digest == Digest(of: "pass word".utf8))
        #expect(authentication.tokens.map(\.name) == ["default", "laptop"])
        #expect(authentication.tokens.first?.digest == Digest(of: "tok-CANARY-1".utf8))
        let upstream = configuration.upstream
        #expect(upstream.connectTimeout == .seconds(1))
        #expect(upstream.firstByteTimeout == .seconds(2))
        #expect(upstream.gapTimeout == .seconds(3))
        #expect(upstream.totalTimeout == .seconds(4))
        #expect(upstream.maxIdleConnections == 0)
        #expect(configuration.storage.path == "/etc/menshen/data/menshen.db")
        #expect(configuration.storage.retentionDays == nil)
        #expect(configuration.logging.logRequestBody)
        #expect(configuration.logging.logResponseBody)
        #expect(configuration.logging.maxBodyBytes == 0)
    }

    @Test func `a provider's settings arrive in their fields`() throws {
        let configuration = try configuration(
            """
            [[providers]]
            name = "a.b-c_1"
            kind = "anthropic"
            base_url = "https://llm.example"
            api_key = "${KEY}"
            headers = { X-Team = "r", "x-key" = "Bearer ${KEY}" }
            weight = 7
            proxy = "socks5h://u:p@127.0.0.1:1080"
            ca_file = "ca.pem"
            crl_file = "crl.pem"
            client_certificate_file = "/client.pem"
            client_key_file = "~/client.key"
            http2 = false
            keep_warm = true
            """)
        let provider = try #require(configuration.providers.first)
        #expect(provider.name == "a.b-c_1")
        #expect(provider.kind == .anthropic)
        #expect(provider.baseURL.description == "https://llm.example")
        guard case .inline(let key) = provider.key else { Issue.record("no inline key"); return }
        #expect(key.digest == Secret("sk-CANARY-key").digest)
        #expect(provider.headers.map(\.name) == ["X-Team", "x-key"])
        #expect(provider.headers.last?.value.digest == Secret("Bearer sk-CANARY-key").digest)
        #expect(provider.turn.weight == 7)
        #expect(provider.proxy?.digest == Secret("socks5h://u:p@127.0.0.1:1080").digest)
        #expect(provider.tls.caFile == "/etc/menshen/ca.pem" && provider.tls.crlFile == "/etc/menshen/crl.pem")
        #expect(provider.tls.clientCertificateFile == "/client.pem")
        #expect(provider.tls.clientKeyFile == "/home/alice/client.key")
        #expect(!provider.connections.http2 && provider.connections.keepWarm)
    }

    @Test func `a key can come from a file, a credential or a command`() throws {
        let configuration = try configuration(
            """
            \(provider)api_key_file = "~/key"
            \(provider)api_key_credential = "openai.key"
            \(provider)api_key_command = ["pass", "show", "${KEY}"]
            \(provider)api_key_command = ["./helper"]
            api_key_command_timeout = 1
            api_key_command_ttl = "2h"
            """)
        let keys = configuration.providers.map { "\($0.key)" }
        #expect(keys[0] == "file(path: \"/home/alice/key\")")
        #expect(keys[1] == "credential(name: \"openai.key\")")
        guard case .command(let argv, let timeout, let lifetime) = configuration.providers[2].key else {
            Issue.record("no command"); return
        }
        #expect(argv == ["pass", "show", "sk-CANARY-key"])
        #expect(timeout == .seconds(10))
        #expect(lifetime == .seconds(900))
        guard case .command(let other, let second, let hours) = configuration.providers[3].key else {
            Issue.record("no command"); return
        }
        #expect(other == ["/etc/menshen/./helper"])
        #expect(second == .seconds(1))
        #expect(hours == .seconds(7200))
    }

    @Test(arguments: [
        ("https://api.anthropic.com/v1", "anthropic"), ("https://generativelanguage.googleapis.com:443", "gemini"),
        ("https://x.openai.azure.com", "azure"), ("https://x.cognitiveservices.azure.com/openai", "azure"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "bedrock"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com:443", "bedrock"),
        ("https://vpce-1-a.bedrock-runtime.eu-west-1.vpce.amazonaws.com", "bedrock"),
        ("https://bedrock-runtime.us-east-1.api.aws/openai/v1", "bedrock"), ("http://bedrock-runtime", "openai"),
        ("https://api.deepseek.com", "openai"), ("https://notanthropic.com", "openai"),
        ("https://anthropic.com.evil.example", "openai"), ("unix:///run/api.anthropic.com", "openai"),
    ])
    func `the kind is guessed from the address`(address: String, kind: String) throws {
        let provider = try #require(try configuration("[providers]\nbase_url = \"\(address)\"").providers.first)
        #expect(provider.kind.rawValue == kind)
        #expect(provider.name == kind)
    }

    @Test(arguments: [
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "", "us-east-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com:443", "", "us-gov-west-1"),
        ("https://vpce-1-a.bedrock-runtime.eu-west-1.vpce.amazonaws.com", "", "eu-west-1"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "region = \"eu-west-3\"", "eu-west-3"),
        ("http://localhost:4566", "kind = \"bedrock\"\nregion = \"us-west-2\"", "us-west-2"),
    ])
    func `the region is that of the address unless it is given`(address: String, lines: String, region: String) throws {
        let text = """
            [[providers]]
            base_url = "\(address)"
            api_key_file = "k"
            aws_access_key_id = "AKIA1"
            aws_session_token = "${EMPTY}"
            \(lines)
            """
        let decoded = decodeConfiguration(text)
        let provider = try #require(decoded.configuration?.providers.first, "\(decoded.diagnostics)")
        #expect(provider.kind == .bedrock)
        #expect(provider.signing?.region == region)
        #expect(provider.signing?.sessionToken == nil)
    }

    @Test func `names that are not given avoid those that are`() throws {
        let text = provider + provider + "name = \"openai\"\n" + provider + "name = \"openai-3\"\n" + provider
        #expect(try configuration(text).providers.map(\.name) == ["openai-2", "openai", "openai-3", "openai-4"])
    }

    @Test func `ai-menshen's timeouts and connection limit apply`() throws {
        let upstream = try configuration(
            provider + "[http_client]\ntimeout = 7\n[upstream]\nmax_idle_conns_per_host = 9"
        ).upstream
        #expect(upstream.firstByteTimeout == .seconds(7))
        #expect(upstream.totalTimeout == nil)
        #expect(upstream.maxIdleConnections == 9)
        #expect(try configuration(provider + "[upstream]\ntimeout = 0").upstream == Configuration().upstream)
        #expect(
            try configuration(provider + "[upstream]\ntimeout = 5\n[http_client]\ntimeout = 7").upstream
                .firstByteTimeout == .seconds(5))
    }

    @Test func `a whole file of ai-menshen loads`() throws {
        let decoded = decodeConfiguration(aiMenshenFile, file: "config.toml")
        let configuration = try #require(decoded.configuration, "\(decoded.diagnostics)")
        #expect(
            decoded.diagnostics.map { "\($0.line): \($0.message)" } == [
                "1: listen: [auth] enable is false: any local user can spend the key",
                "18: http_client.timeout is ignored: a newer name of it is given too",
                "37: [cache] stays off: max_age is 0, and no answer is kept for ever",
            ])
        #expect(configuration.upstream.firstByteTimeout == .seconds(240))
        #expect(configuration.upstream.maxIdleConnections == 64)
        #expect(configuration.storage.path == "./data/menshen.db")
        #expect(configuration.providers.first?.turn.weight == 2)
        #expect(configuration.failover.enable)
        #expect(configuration.logging.logRequestBody)
    }

    @Test func `the cache takes what it is told, ai-menshen's keys among it`() throws {
        #expect(try configuration(provider).cache == Configuration().cache)
        let text = provider + "[cache]\nenable = true\nmax_body_bytes = 5242880\nmax_age = 3600\n"
        var expected = Configuration().cache
        (expected.enable, expected.maxAge) = (true, .seconds(3600))
        #expect(try configuration(text).cache == expected)
        (expected.scope, expected.coalesce, expected.maxBytes) = (.instance, true, 1 << 30)
        expected.path = "/a/cache.db"
        let more = "scope = \"instance\"\ncoalesce = true\nmax_bytes = \"1GiB\"\npath = \"cache.db\""
        #expect(try configuration(text + more, file: "/a/c.toml").cache == expected)
        #expect(try configuration(provider + "[cache]\nmax_age = \"1h\"").cache.enable == false)
        #expect(try !configuration(provider + "[cache]\nenable = true\nmax_age = 0").cache.enable)
    }

    @Test(arguments: [
        "https://", "https://x:", "https://x:+1", "https://x:0", "https://x:65536", "https://x y", "x", "https://x?a",
        "",
    ])
    func `what is no address of a provider is refused`(address: String) {
        #expect(decodeConfiguration("[providers]\nbase_url = \"\(address)\"").configuration == nil)
    }

    @Test(arguments: [
        ":", ":+1", "127.0.0.+1:80", "127.0.0.1.1:80", "[127.0.0.1]:80", "example.org:80", ":65536", "80", "",
    ])
    func `what is no address to listen on is refused`(address: String) {
        #expect(ListenAddress(address) == nil)
    }

    @Test func `relative paths start from the configuration file`() throws {
        let text = provider + "[storage.sqlite]\npath = \"menshen.db\""
        #expect(try configuration(text, file: "c.toml").storage.path == "menshen.db")
        #expect(try configuration(text, file: "/a/b/c.toml").storage.path == "/a/b/menshen.db")
        #expect(try configuration(text, file: "/c.toml").storage.path == "/menshen.db")
    }

    @Test func `no value prints a secret`() throws {
        let text =
            provider
            + "api_key = \"${KEY}\"\nheaders = { a = \"${KEY}\" }\nproxy = \"http://${KEY}@p\"\n[auth]\ntoken = \"${TOKEN}\""
        let configuration = try configuration(text)
        var dumped = "\(configuration)"
        dump(configuration, to: &dumped)
        #expect(!dumped.contains("CANARY"))
    }
}

/// Every key that ai-menshen reads.
let aiMenshenFile = """
    listen = ":8080"
    verbose = false
    [auth]
    enable = false
    user = "admin"
    password = "your-password-here"
    token = "sk-your-proxy-token"

    [[providers]]
    base_url = "https://api.openai.com/v1/"
    api_key = "${OPENAI_API_KEY}"
    weight = 2
    model = "gpt-4.1"
    proxy = ""
    headers = { "cf-aig-authorization" = "Bearer ${KEY}" }

    [http_client]
    timeout = 300

    [upstream]
    timeout = 240
    max_idle_conns_per_host = 64

    [failover]
    # on or off
    enable = true

    [storage]
    retention_days = 90

    [storage.sqlite]
    path = "./data/menshen.db"

    [cache]
    enable = true
    max_body_bytes = 5242880
    max_age = 0

    [logging]
    log_request_body = true
    log_response_body = true
    """
