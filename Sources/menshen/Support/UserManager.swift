// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// What the user's service manager knows, asked through systemctl(1).
enum UserManager {
    /// Standard output of `systemctl --user ARGUMENTS`; nil if there is no manager to ask. The arguments are our own words.
    static func ask(_ arguments: String) -> String? {
        guard let stream = popen("systemctl --user \(arguments) 2>/dev/null", "re") else { return nil }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return pclose(stream) == 0 ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// Of a variable that a configuration uses and menshen.service would not see.
    static func unseenWords(_ name: String) -> (message: String, hint: String) {
        (
            "${\(name)} is filled in here, but menshen.service would not see the variable",
            "name a file instead (token_file, api_key_file), or write \(name)=… into ~/.config/environment.d/menshen.conf and log in again"
        )
    }

    /// Of these variables, those that menshen.service would not see.
    static func unseen(_ names: [String]) -> [String] {
        let names = names.filter { $0 != "HOME" }
        guard !names.isEmpty, let known = ask("show-environment") else { return [] }
        // What a unit's own lines or files add can be anything.
        if let unit = ask("show -p EnvironmentFiles -p Environment menshen.service"),
            unit.split(separator: "\n").contains(where: { !$0.hasSuffix("=") })
        {
            return []
        }
        let set = Set(known.split(separator: "\n").map { String($0.prefix { $0 != "=" }) })
        return names.filter { !set.contains($0) }
    }
}
