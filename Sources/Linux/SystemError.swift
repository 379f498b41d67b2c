// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// A failed system call: which one, on what, and errno.
package struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    package let call: String
    /// errno, positive.
    package let code: Int32
    /// The path, address or name the call was about; empty if it has none.
    package let subject: String

    package init(_ call: String, code: Int32, subject: String = "") {
        self.call = call
        self.code = code
        self.subject = subject
    }

    package var description: String {
        let reason = String(cString: strerror(code))
        return subject.isEmpty ? "\(call): \(reason)" : "\(call) \(subject): \(reason)"
    }

    /// A socket's name is not there, or nobody listens behind it.
    package var isNobodyThere: Bool { code == ENOENT || code == ECONNREFUSED }

    /// The other side ended the connection before, in order.
    package var isBrokenPipe: Bool { code == EPIPE }

    /// Returns a result of a CLinux function, or throws if it is a negative errno.
    @discardableResult
    package static func check(_ result: Int32, _ call: String, _ subject: @autoclosure () -> String = "")
        throws(SystemError) -> Int32
    {
        if result < 0 { throw SystemError(call, code: -result, subject: subject()) }
        return result
    }
}
