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
