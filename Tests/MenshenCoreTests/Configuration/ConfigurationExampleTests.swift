// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TOML
import Testing

@Suite struct ConfigurationExampleTests {
    /// The example with every setting that is commented out put into force.
    private var uncommented: String {
        ConfigurationExample.text(for: .tcp).split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("#") && !$0.hasPrefix("# ") && $0 != "#" ? $0.dropFirst() : $0 }
            .joined(separator: "\n")
    }

    /// Paths of all keys of a text, in the notation of `ConfigurationKey`.
    private func paths(_ text: String) throws -> Set<String> {
        var paths: Set<String> = []
        func walk(_ table: TOMLTable, _ prefix: String) {
            for entry in table.entries {
                let path = prefix + entry.key
                if ConfigurationKey.byPath[path] != nil { paths.insert(path); continue }
                switch entry.item.value {
                case .table(let inner): walk(inner, path + ".")
                case .array(let items):
                    for case .table(let inner) in items.map(\.value) { walk(inner, path + "[].") }
                default: paths.insert(path)
                }
            }
        }
        walk(try TOMLDocument.parse(text), "")
        return paths
    }

    @Test func `the example loads with two variables set, and says nothing`() throws {
        let decoded = ConfigurationDecoder.decode(ConfigurationExample.text(for: .tcp), file: "config.toml") {
            ["OPENAI_API_KEY": "sk-x", "PROXY_TOKEN": "0123456789"][$0]
        }
        #expect(decoded.diagnostics.isEmpty, "\(decoded.diagnostics)")
        let configuration = try #require(decoded.configuration)
        #expect(configuration.listen.map(\.description) == [":8080"])
        #expect(configuration.authentication.password == nil)
        #expect(configuration.authentication.user == "admin")
        #expect(configuration.authentication.tokens.count == 1)
        #expect(configuration.providers.count == 1)
        #expect(configuration.server == Configuration().server)
        #expect(configuration.upstream == Configuration().upstream)
    }

    @Test func `the example for a socket loads without any variable, and says nothing`() throws {
        let text = ConfigurationExample.text(for: .socket)
        let decoded = ConfigurationDecoder.decode(text, file: "/home/alice/.config/menshen/config.toml") { _ in nil }
        #expect(decoded.diagnostics.isEmpty, "\(decoded.diagnostics)")
        let configuration = try #require(decoded.configuration)
        #expect(configuration.listen.isEmpty && configuration.authentication.tokens.isEmpty)
        guard case .file(let path) = try #require(configuration.providers.first).key else {
            Issue.record("the key comes from elsewhere")
            return
        }
        #expect(path == "/home/alice/.config/menshen/openai.key")
    }

    @Test func `the example loads with every setting in force`() throws {
        let decoded = decodeConfiguration(uncommented, file: "/home/alice/config.toml")
        #expect(decoded.diagnostics.map(\.message) == [])
        let configuration = try #require(decoded.configuration)
        #expect(
            configuration.providers.map(\.name) == ["openai", "anthropic", "gemini", "openai-2", "azure", "bedrock"])
        #expect(configuration.providers.first?.models.map(\.description) == ["gpt-*", "o3"])
        #expect(configuration.providers.first?.model == "gpt-4.1")
        #expect(configuration.providers.first?.aliases == ["fast": "gpt-4.1-mini"])
        #expect(configuration.providers.first?.maxConcurrent == 4)
        #expect(configuration.providers[3].key.count == 2)
        #expect(configuration.failover == Configuration().failover)
        let signing = try #require(configuration.providers.last?.signing)
        #expect(signing.accessKeyID == "AKIAIOSFODNN7EXAMPLE" && signing.region == "us-east-1")
        #expect(configuration.authentication.tokens.map(\.name) == ["default", "laptop"])
        var server = Configuration().server
        server.metrics.listen = ListenAddress(":9464")
        server.metrics.file = "/var/lib/prometheus/node-exporter/menshen.prom"
        #expect(configuration.server == server, "a commented default differs from the real one")
        #expect(configuration.upstream == Configuration().upstream)
        #expect(configuration.logging == Configuration().logging)
        var cache = Configuration().cache
        (cache.maxAge, cache.path) = (.seconds(3600), "/home/alice/.cache/menshen/cache.db")
        #expect(configuration.cache == cache)
        #expect(configuration.storage.retentionDays == Configuration().storage.retentionDays)
        #expect(configuration.storage.path == "/home/alice/.local/state/menshen/menshen.db")
    }

    /// A secret of `[auth]` comes from one place; the example shows one.
    private static func isOtherPlace(_ key: ConfigurationKey) -> Bool {
        key.section.hasPrefix("auth") && (key.name.hasSuffix("_file") || key.name.hasSuffix("_credential"))
    }

    @Test func `the example has every key but ai-menshen's older names`() throws {
        let keys = ConfigurationKey.all.filter { $0.standing != .alias && !Self.isOtherPlace($0) }
        #expect(try paths(uncommented) == Set(keys.map(\.path)))
        #expect(ConfigurationExample.text(for: .socket).contains("#token_file = "))
    }

    @Test func `the reference has one row for each key`() {
        let rows = ConfigurationReference.markdownTable.split(separator: "\n").dropFirst(2)
        #expect(rows.count == ConfigurationKey.all.count)
        for (row, key) in zip(rows, ConfigurationKey.all) {
            #expect(row.hasPrefix("| `\(key.path)` | "))
            #expect(
                key.documentation.hasSuffix(".") && !key.documentation.contains("\n")
                    || key.documentation.hasSuffix("…"))
            #expect(!row.dropFirst().dropLast().contains("||"))
        }
        #expect(rows.contains { $0.contains("| `\"96MiB\"` |") })
    }

    @Test func `the configuration in effect is TOML without a secret`() throws {
        let text = uncommented.replacing("${MENSHEN_PASSWORD:-}", with: "CANARYpassword")
            .replacing("\"research\"", with: "\"CANARY\"").replacing("socks5h://", with: "socks5h://u:CANARY@")
            .replacing("${AWS_SESSION_TOKEN:-}", with: "CANARYsession").replacing("\"show\"", with: "\"${KEY}\"")
        let configuration = try #require(decodeConfiguration(text).configuration)
        let shown = ConfigurationRendering.text(of: configuration)
        #expect(!shown.contains("CANARY"))
        #expect(!shown.contains(configurationEnvironment["PROXY_TOKEN"] ?? "?"))
        #expect(shown.contains("name = \"laptop\"\ntoken = \"***\""))
        let keys = ConfigurationKey.all.filter {
            $0.standing == .current && $0.path != "auth.token" && !Self.isOtherPlace($0)
        }
        #expect(try paths(shown) == Set(keys.map(\.path)))
    }

    @Test func `secrets that stand elsewhere are shown by their place`() throws {
        let text = """
            [auth]
            user = "a"
            password_file = "p"
            token_credential = "t"
            [[auth.tokens]]
            name = "ci"
            token_file = "/c"
            [[providers]]
            base_url = "http://localhost:1"
            """
        let configuration = try #require(decodeConfiguration(text, file: "/d/c.toml").configuration)
        let shown = ConfigurationRendering.text(of: configuration)
        for line in ["password_file = \"/d/p\"", "token_credential = \"t\"", "token_file = \"/c\"", "name = \"ci\""] {
            #expect(shown.contains(line), "\(shown)")
        }
        #expect(configuration.authentication.hasToken)
        for both in ["token = \"a-long-token\"\ntoken_file = \"t\"", "token_file = \"a\"\ntoken_credential = \"b\""] {
            let decoded = decodeConfiguration("[auth]\n\(both)\n[[providers]]\nbase_url = \"http://localhost:1\"\n")
            #expect(decoded.diagnostics.contains { $0.message.contains("is given already") })
        }
    }

    @Test func `what is shown reads back as the same settings`() throws {
        let configuration = try #require(decodeConfiguration(uncommented).configuration)
        let shown = ConfigurationRendering.text(of: configuration)
        // Both tokens now read "***".
        let second = shown.replacing("name = \"laptop\"\ntoken = \"***\"", with: "name = \"laptop\"\ntoken = \"****\"")
            .replacing("proxy = \"***\"", with: "")
        let again = decodeConfiguration(second)
        let other = try #require(again.configuration, "\(again.diagnostics)")
        #expect(other.server == configuration.server)
        #expect(other.upstream == configuration.upstream)
        #expect(other.storage == configuration.storage)
        #expect(other.failover == configuration.failover)
        #expect(other.providers.map(\.models) == configuration.providers.map(\.models))
        #expect(other.providers.map(\.aliases) == configuration.providers.map(\.aliases))
        #expect(other.providers.map(\.key.count) == configuration.providers.map(\.key.count))
        #expect(other.logging == configuration.logging)
        #expect(other.cache == configuration.cache)
        #expect(other.listen == configuration.listen)
        #expect(other.providers.map(\.baseURL) == configuration.providers.map(\.baseURL))
    }
}

extension String {
    fileprivate func replacing(_ text: String, with other: String) -> String {
        var output = ""
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(text) {
                output += other
                rest = rest.dropFirst(text.count)
            } else {
                output.append(rest.removeFirst())
            }
        }
        return output
    }
}
