// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// One entry of a section's list says how a setting is read and how it is shown; here the two are compared.
@Suite struct ConfigurationSettingTests {
    private static let provider = "[[providers]]\nbase_url = \"http://localhost:1\"\n"

    private func shown(_ text: String) throws -> String {
        let decoded = decodeConfiguration(text)
        return ConfigurationRendering.text(of: try #require(decoded.configuration, "\(decoded.diagnostics)"))
    }

    /// One provider, and the key with that value if there is one.
    private func text(_ key: ConfigurationKey, _ value: String?) -> String {
        let line = value.map { "\(key.name) = \($0)\n" } ?? ""
        return switch key.section {
        case "": line + Self.provider
        case "providers[]": Self.provider + "api_key_command = [\"pass\"]\nmax_concurrent = 1\n" + line
        case "callers[]": "[[callers]]\nname = \"a\"\n\(line)" + Self.provider
        default: "[\(key.section)]\n\(line)" + Self.provider
        }
    }

    @Test(arguments: ConfigurationKey.all.filter { $0.defaultText != nil }.map(\.path))
    func `a default that is written out changes nothing`(path: String) throws {
        let key = try #require(ConfigurationKey.byPath[path])
        let written = try shown(text(key, key.defaultText))
        #expect(try shown(text(key, nil)) == written)
        #expect(written.contains("\n\(key.name) = \(key.defaultText ?? "?")\n"))
    }

    @Test(arguments: [
        ("server.workers", "3"), ("server.allowed_hosts", #"["a.example"]"#), ("server.idle_exit", "\"off\""),
        ("upstream.total_timeout", "\"5s\""), ("failover.hold", "\"off\""), ("storage.retention_days", "0"),
        ("storage.sqlite.path", "\"/a.db\""), ("logging.max_body_bytes", "\"1KiB\""), ("cache.scope", "\"instance\""),
        ("cache.max_age", "\"1h\""), ("providers[].model", "\"m\""), ("providers[].queue_timeout", "\"1s\""),
        ("providers[].aliases", #"{ "a" = "b" }"#), ("verbose", "true"),
        ("server.metrics_listen", "\":9464\""), ("server.metrics_file", "\"/a.prom\""), ("listen", "[\"127.0.0.1:1\"]"),
    ])
    func `a value that is given is shown`(path: String, value: String) throws {
        let key = try #require(ConfigurationKey.byPath[path])
        let token = key.name == "listen" ? "[auth]\ntoken = \"a-long-token\"\n" : ""
        #expect(try "\n\(shown(text(key, value) + token))".contains("\n\(key.name) = \(value)\n"))
    }

    @Test func `older names of one limit give way to newer ones`() throws {
        for (section, newer) in [("upstream", ""), ("upstream", "first_byte_timeout = \"7s\"\n")] {
            let text = "[\(section)]\ntimeout = 8\n\(newer)[http_client]\ntimeout = 9\n\(Self.provider)"
            #expect(try shown(text).contains("first_byte_timeout = \"\(newer.isEmpty ? 8 : 7)s\"\n"))
        }
    }

    @Test func `a provider is shown by its name first, and its weight after its places`() throws {
        let provider = """
            base_url = "http://localhost:1"
            weight = 2
            max_concurrent = 4
            headers = { "x-team" = "a" }
            ca_file = "/ca.pem"
            """
        let shown = try shown("[[providers]]\n\(provider)\n")
        let block = """
            [[providers]]
            name = "openai"
            kind = "openai"
            base_url = "http://localhost:1"
            headers = { "x-team" = "***" }
            priority = 0
            max_concurrent = 4
            max_queued = 64
            queue_timeout = "1min"
            weight = 2
            ca_file = "/ca.pem"
            http2 = true
            keep_warm = false
            include_usage = true
            strip_added_usage = true
            websocket = "auto"

            [upstream]
            """
        #expect(shown.contains(block), "\(shown)")
    }
}
