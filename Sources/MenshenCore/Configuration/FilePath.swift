// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// Paths in the text: `~/` is the home directory, relative ones start from the configuration file's directory.
enum FilePath {
    static func resolve(_ path: ExpandedText, _ key: String, _ reading: ConfigurationReading) -> String? {
        let text = path.text
        guard !text.isEmpty, !text.utf8.contains(0) else {
            reading.error(at: path.span, text.isEmpty ? "\(key) is empty" : "\(key) holds a NUL character")
            return nil
        }
        if text.hasPrefix("/") { return text }
        if text.hasPrefix("~/") {
            guard let home = reading.environment("HOME"), home.hasPrefix("/") else {
                reading.error(
                    at: path.span, "\(key) begins with \"~/\", but the environment variable HOME is not set",
                    hint: "write an absolute path")
                return nil
            }
            return (home.hasSuffix("/") ? String(home.dropLast()) : home) + text.dropFirst()
        }
        guard let slash = reading.file.utf8.lastIndex(of: UInt8(ascii: "/")) else { return text }
        return reading.file[...slash] + text
    }

    static func credentialName(_ name: ExpandedText, _ key: String, _ reading: ConfigurationReading) -> String? {
        // systemd.exec(5): a name must be usable as a file name.
        let isName =
            name.isVisibleASCII && !name.text.isEmpty && !name.text.contains("/") && !name.text.contains(":")
            && name.text.utf8.count <= 255 && name.text != "." && name.text != ".."
        if isName { return name.text }
        reading.error(
            at: name.span, "\(key) is not the name of a systemd credential",
            hint: "write the name that LoadCredential= gives it, not a path")
        return nil
    }
}
