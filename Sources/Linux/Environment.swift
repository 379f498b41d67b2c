// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// The process environment, without Foundation. Change it only before the first thread starts: setenv(3) and
/// getenv(3) are not safe beside each other.
package enum Environment {
    package static func value(_ name: String) -> String? {
        guard let text = getenv(name) else { return nil }
        return String(cString: text)
    }

    /// Removes the variable, so that child processes do not inherit it, and returns what it was.
    package static func take(_ name: String) -> String? {
        defer { unsetenv(name) }
        return value(name)
    }
}
