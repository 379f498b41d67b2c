// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux

/// Where commands print. Swift's print goes through C's stdout, which Swift 6 counts as shared state.
enum Terminal {
    static func print(_ line: String) { write(line + "\n") }
    static func write(_ text: String) { StandardStream.output.write(text) }
    /// Says what is wrong and how the command ends.
    static func fault(_ message: String, code: Int32) -> ExitCode {
        error("menshen: \(message)")
        return ExitCode(code)
    }

    static func error(_ line: String) { StandardStream.error.write(line + "\n") }
}
