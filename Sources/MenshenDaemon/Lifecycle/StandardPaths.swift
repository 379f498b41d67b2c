// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux

/// An environment variable that does not lead to a place where menshen could keep or find anything.
package struct EnvironmentFault: Error, CustomStringConvertible {
    package let message: String
    package let hint: String

    package var description: String { "\(message); \(hint)" }
}

/// The places of the XDG base directory specification that menshen uses in user mode. A variable that leads nowhere is a
/// fault; nothing is ever looked for, or made, in the root directory for want of one.
package enum StandardPaths {
    package static func configuration() throws(EnvironmentFault) -> String {
        try base("XDG_CONFIG_HOME", ".config", "say --config FILE") + "/menshen/config.toml"
    }

    package static func database() throws(EnvironmentFault) -> String {
        try managed("STATE_DIRECTORY", or: "XDG_STATE_HOME", ".local/state", "storage.sqlite.path") + "/menshen.db"
    }

    package static func cache() throws(EnvironmentFault) -> String {
        try managed("CACHE_DIRECTORY", or: "XDG_CACHE_HOME", ".cache", "cache.path") + "/cache.db"
    }

    /// A login shell has $XDG_RUNTIME_DIR; for one of su, or a batch job, the directory is where systemd makes it.
    package static func socket() throws(EnvironmentFault) -> String {
        let uid = PeerIdentity.ownUID
        let hint = "log in, or say --socket PATH"
        guard let given = Environment.value("XDG_RUNTIME_DIR"), !given.isEmpty else {
            let usual = "/run/user/\(uid)"
            if FileReading.owner(usual) == uid { return usual + "/menshen/menshen.sock" }
            throw EnvironmentFault(
                message: "XDG_RUNTIME_DIR is not set, and there is no \(usual) of yours",
                hint: "log in, run 'loginctl enable-linger', or say --socket PATH")
        }
        guard given.hasPrefix("/") else {
            throw EnvironmentFault(message: "XDG_RUNTIME_DIR is '\(given)', which is not an absolute path", hint: hint)
        }
        if let owner = FileReading.owner(given), owner != uid {
            throw EnvironmentFault(
                message: "XDG_RUNTIME_DIR is \(given), which belongs to uid \(owner), but you are uid \(uid)",
                hint: hint)
        }
        return given + "/menshen/menshen.sock"
    }

    /// A directory that systemd has made for the unit, else one below the user's own.
    private static func managed(
        _ variable: String, or other: String, _ fallback: String, _ key: String
    ) throws(EnvironmentFault) -> String {
        guard let path = Environment.value(variable), !path.isEmpty else {
            return try base(other, fallback, "set \(key)") + "/menshen"
        }
        if path.hasPrefix("/"), !path.contains(":") { return path }
        let what = path.contains(":") ? "names several directories" : "is not an absolute path"
        throw EnvironmentFault(message: "\(variable) is '\(path)', which \(what)", hint: "set \(key)")
    }

    private static func base(
        _ variable: String, _ fallback: String, _ hint: String
    ) throws(EnvironmentFault) -> String {
        // The specification says to ignore a relative path.
        if let path = Environment.value(variable), path.hasPrefix("/") { return path }
        guard let home = Environment.value("HOME"), !home.isEmpty else {
            throw EnvironmentFault(message: "HOME is not set", hint: hint)
        }
        guard home.hasPrefix("/") else {
            throw EnvironmentFault(message: "HOME is '\(home)', which is not an absolute path", hint: hint)
        }
        return home + "/" + fallback
    }
}
