// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux

/// What is to go down to a caller: filled by the exchange, emptied into the socket.
struct ConnectionOutput {
    enum Progress {
        /// Nothing is left. `hasMoved`: something was.
        case written(hasMoved: Bool)
        case wouldBlock
        case failed
    }

    var bytes: [UInt8] = []
    private var sent = 0

    var pending: Int { bytes.count - sent }

    /// Writes what there is. All that was sent is let go of by `clear`.
    mutating func write(to fd: Int32) -> Progress {
        while sent < bytes.count {
            let outcome = bytes.withUnsafeBytes { SocketIO.write(fd, UnsafeRawBufferPointer(rebasing: $0[sent...])) }
            switch outcome {
            case .bytes(let count): sent += count
            case .failed: return .failed
            case .wouldBlock:
                // Each byte moves once at most for each that was sent, and what was sent takes no more memory than what was not.
                if sent >= max(pending, AnswerBudget.least) {
                    bytes.removeFirst(sent)
                    sent = 0
                }
                return .wouldBlock
            }
        }
        return .written(hasMoved: sent > 0)
    }

    mutating func clear(into buffers: Buffers) {
        buffers.recycle(&bytes)
        sent = 0
    }
}

/// What becomes of a connection once its output has been written.
enum Closing {
    /// It goes on.
    case none
    case orderly
    /// The caller must see that the answer broke off.
    case reset
}
