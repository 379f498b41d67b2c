// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux

/// Where commands print. Swift's print goes through C's stdout, which Swift 6 counts as shared state.
enum Terminal {
    static func print(_ line: String) { write(line + "\n") }
    static func write(_ text: String) { StandardStream.output.write(text) }
    static func error(_ line: String) { StandardStream.error.write(line + "\n") }
}
