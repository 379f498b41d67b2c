// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// A file descriptor that is closed when its holder goes away.
package struct OwnedDescriptor: ~Copyable, Sendable {
    package let raw: Int32

    package init(_ raw: Int32) { self.raw = raw }

    deinit { close(raw) }

    /// O_PATH, which the importer does not show: the same number on x86-64 and arm64.
    static let pathOnly: Int32 = 0o10_000_000
}
