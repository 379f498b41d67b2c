// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// Standard output and standard error as descriptors, unbuffered.
package enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// Writes everything; a closed pipe ends it quietly.
    package func write(_ text: String) { _ = write(Array(text.utf8)) }

    /// False: it could not be written to the end.
    package func write(_ bytes: [UInt8]) -> Bool {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(rawValue, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return false }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    /// Opens /dev/null in place of what is closed of descriptors 0 to 2. The next file to be opened would get the number, and
    /// lines for a person would be written into it. Call first of all.
    package static func openMissing() {
        for descriptor in 0...2 as ClosedRange<Int32> where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one: those below are open by now.
            _ = open("/dev/null", O_RDWR)
        }
    }

    /// From now on nothing that is written to it arrives anywhere.
    package func silence() {
        let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
        if nowhere < 0 { return }
        dup2(nowhere, rawValue)
        close(nowhere)
    }

    package var isTerminal: Bool { isatty(rawValue) == 1 }

    /// Columns of the terminal; nil for a file or a pipe.
    package var columns: Int? {
        let columns = clinux_terminal_columns(rawValue)
        return columns > 0 ? Int(columns) : nil
    }

    /// Its rows; nil as above.
    package var rows: Int? {
        let rows = clinux_terminal_rows(rawValue)
        return rows > 0 ? Int(rows) : nil
    }
}
