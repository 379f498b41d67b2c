// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The commented file that `menshen config init` and `-gen-config` print, made from the table of keys.
package enum ConfigurationExample {
    /// What the file is for: it decides which settings are not commented out.
    package enum Purpose {
        /// The article's: callers over TCP with a token. Loads as it is, given OPENAI_API_KEY and PROXY_TOKEN.
        case tcp
        /// A socket of systemd's or our own, and a key in a file beside the configuration. Loads as it is.
        case socket
    }

    package static func text(for purpose: Purpose) -> String {
        var lines = [
            "# menshen configuration.",
            "#",
            "# ${NAME} is filled in from the environment; ${NAME:-text} has a default.",
            "# Times are \"500ms\", \"10s\", \"10min\", \"1h30m\", \"2d\"; sizes are \"32KiB\", \"64MiB\".",
            "# A line that begins with \"#\" and no space is a setting with its default or an example.",
            "# `menshen config check` finds mistakes.",
            "",
        ]
        for section in ConfigurationKey.sections {
            let keys = ConfigurationKey.all.filter { $0.section == section && $0.standing != .alias }
            if !keys.isEmpty { lines += written(section, keys, purpose) }
        }
        return lines.joined(separator: "\n")
    }

    /// The settings that a first start needs.
    private static func active(_ purpose: Purpose) -> Set<String> {
        switch purpose {
        case .tcp:
            [
                "listen", "auth.enable", "auth.user", "auth.password", "auth.token", "providers[].base_url",
                "providers[].api_key",
            ]
        case .socket: ["auth.enable", "providers[].base_url", "providers[].api_key_file"]
        }
    }

    /// One provider each for the other places a key can come from: a provider takes only one.
    private static let furtherProviders: [(baseURL: String, keys: [String])] = [
        ("https://api.anthropic.com", ["api_key_file"]),
        ("https://generativelanguage.googleapis.com", ["api_key_credential"]),
        ("https://llm.example/v1", ["api_keys"]),
        (
            "https://example.openai.azure.com",
            ["api_key_command", "api_key_command_timeout", "api_key_command_ttl"]
        ),
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com",
            ["api_key_file", "aws_access_key_id", "aws_session_token", "region"]
        ),
    ]

    /// A secret comes from one place, so one is shown.
    private static func fits(_ key: ConfigurationKey, _ purpose: Purpose) -> Bool {
        guard key.section.hasPrefix("auth") else { return purpose == .tcp || key.path != "providers[].api_key" }
        switch key.name {
        case "password", "token": return purpose == .tcp
        case "password_file", "token_file": return purpose == .socket
        case "password_credential", "token_credential": return false
        default: return true
        }
    }

    private static func written(_ section: String, _ keys: [ConfigurationKey], _ purpose: Purpose) -> [String] {
        var lines: [String] = []
        let active = active(purpose)
        let isArray = section.hasSuffix("[]")
        let isActive = !isArray || keys.contains { active.contains($0.path) }
        if !section.isEmpty {
            lines.append((isActive ? "" : "#") + ConfigurationKey.header(section))
        }
        let elsewhere = Set(furtherProviders.flatMap(\.keys).map { "providers[]." + $0 }).subtracting(active)
        // A provider takes its key from one place, so of the others only the name is shown there.
        for key in keys where !elsewhere.contains(key.path) && fits(key, purpose) {
            lines += written(key, isActive: active.contains(key.path))
        }
        lines.append("")
        guard section == "providers[]" else { return lines }
        for provider in furtherProviders {
            lines += ["#[[providers]]", "#base_url = \"\(provider.baseURL)\""]
            for key in keys where provider.keys.contains(key.name) {
                let isSecond = key.name == "api_key_file" && provider.keys.count > 1
                lines += written(key, isActive: false, isSecond ? "\"~/.config/menshen/aws-secret.key\"" : nil)
            }
            lines.append("")
        }
        return lines
    }

    private static func written(_ key: ConfigurationKey, isActive: Bool, _ other: String? = nil) -> [String] {
        // Beside the configuration, wherever that is.
        let value = isActive && key.name == "api_key_file" ? "\"openai.key\"" : other ?? key.sample
        return ["# " + key.documentation, (isActive ? "" : "#") + "\(key.name) = \(value)"]
    }
}

/// The README's table of settings, made from the same keys.
package enum ConfigurationReference {
    package static let markdownTable: String = {
        var lines = ["| Key | Type | Default | What it does |", "|---|---|---|---|"]
        for key in ConfigurationKey.all {
            let fallback = key.defaultText.map { "`\($0)`" } ?? "–"
            let cells = ["`\(key.path)`", key.form.title, fallback, key.documentation]
            let escaped = cells.map { cell in
                cell.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
            }
            lines.append("| " + escaped.joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n") + "\n"
    }()
}
