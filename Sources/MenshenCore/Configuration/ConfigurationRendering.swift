// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What `menshen config show` prints: the configuration in effect, defaults included, as TOML in which every secret
/// reads "***". Of a key command only the program is shown: its arguments may hold a filled-in secret.
package enum ConfigurationRendering {
    package static func text(of configuration: Configuration) -> String {
        var text = ConfigurationText()
        for part in ConfigurationPart.all { part.write(configuration, &text) }
        return text.lines
    }
}

/// The lines of `menshen config show`.
struct ConfigurationText {
    private(set) var lines = ""

    mutating func write<Root: ConfigurationRoot>(_ root: Root) {
        var section = ""
        for setting in Root.shownSettings {
            guard let value = setting.shown(root) else { continue }
            if setting.key.section != section {
                section = setting.key.section
                lines += "\n\(ConfigurationKey.header(section))\n"
            }
            lines += "\(setting.key.name) = \(value)\n"
        }
    }
}
