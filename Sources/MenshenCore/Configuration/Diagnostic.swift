// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// One fault or remark about a configuration text. Collected, never thrown, so that all are shown at once.
package struct Diagnostic: Sendable, Equatable, CustomStringConvertible {
    package enum Severity: String, Sendable { case error, warning }

    package var severity: Severity
    package var file: String
    /// From 1; 0 when the fault has no place in the text.
    package var line: Int
    package var column: Int
    package var message: String
    /// What to do about it.
    package var hint: String?

    package init(_ severity: Severity, file: String, line: Int, column: Int, message: String, hint: String? = nil) {
        self.severity = severity
        self.file = file
        self.line = line
        self.column = column
        self.message = message
        self.hint = hint
    }

    /// `file:line:column: error: message`, the hint on a line of its own.
    package var description: String {
        let place = line > 0 ? "\(file):\(line):\(column)" : file
        let text = "\(place): \(severity.rawValue): \(message)"
        return hint.map { text + "\n  hint: \($0)" } ?? text
    }
}
