// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore

/// What the command line of `menshen serve` says.
package struct ServeOptions: Sendable {
    /// nil: the standard place.
    package var configurationPath: String?
    package var socketPath: String?
    /// Added to the configuration's own `listen`, unless the article's `-listen` replaces it.
    package var listen: [ListenAddress] = []
    package var replacesListen = false
    package var unsafeListen = false
    /// Where request entries go; nil for journald's own socket.
    package var journalPath: String?

    package init() {}
}

/// The places of the XDG base directory specification that menshen uses in user mode.
package enum StandardPaths {
    package static var configuration: String { base("XDG_CONFIG_HOME", ".config") + "/menshen/config.toml" }
    package static var database: String {
        (Environment.value("STATE_DIRECTORY") ?? base("XDG_STATE_HOME", ".local/state") + "/menshen") + "/menshen.db"
    }
    package static var cache: String {
        (Environment.value("CACHE_DIRECTORY") ?? base("XDG_CACHE_HOME", ".cache") + "/menshen") + "/cache.db"
    }
    /// nil without $XDG_RUNTIME_DIR, as in a shell of su or a batch job.
    package static var socket: String? { Environment.value("XDG_RUNTIME_DIR").map { $0 + "/menshen/menshen.sock" } }

    private static func base(_ variable: String, _ fallback: String) -> String {
        // The specification says to ignore a relative path.
        if let path = Environment.value(variable), path.hasPrefix("/") { return path }
        return (Environment.value("HOME") ?? "") + "/" + fallback
    }
}
