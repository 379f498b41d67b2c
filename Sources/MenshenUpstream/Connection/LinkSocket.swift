// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Curl
internal import Linux

/// The socket under a link, and what moves bytes on it.
enum LinkSocket {
    /// Being made.
    case none
    /// Ours alone.
    case own(Int32)
    /// libcurl keeps it, because it speaks TLS to a proxy on the way.
    case lent(Int32, EasyHandle)

    enum Moved {
        /// 0 from a read is the end.
        case bytes(Int)
        case wouldBlock
        case failed(String)
    }

    var descriptor: Int32? {
        switch self {
        case .none: nil
        case .own(let descriptor), .lent(let descriptor, _): descriptor
        }
    }

    /// More may wait than the descriptor shows.
    var isLent: Bool { if case .lent = self { true } else { false } }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Moved {
        switch self {
        case .none: .wouldBlock
        case .own(let descriptor): moved("read", SocketIO.read(descriptor, into: buffer))
        case .lent(_, let handle): moved(handle.receive(into: buffer))
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Moved {
        switch self {
        case .none: .wouldBlock
        case .own(let descriptor): moved("write", SocketIO.write(descriptor, bytes))
        case .lent(_, let handle): moved(handle.send(bytes))
        }
    }

    private func moved(_ call: String, _ outcome: SocketIO.Outcome) -> Moved {
        switch outcome {
        case .bytes(let count): .bytes(count)
        case .wouldBlock: .wouldBlock
        case .failed(let code): .failed(String(describing: SystemError(call, code: code, subject: "the connection")))
        }
    }

    private func moved(_ outcome: EasyHandle.Moved) -> Moved {
        switch outcome {
        case .bytes(let count): .bytes(count)
        case .wouldBlock: .wouldBlock
        case .failed(let error): .failed(error.description)
        }
    }
}
