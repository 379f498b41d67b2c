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

    var descriptor: Int32? {
        switch self {
        case .none: nil
        case .own(let descriptor), .lent(let descriptor, _): descriptor
        }
    }

    /// More may wait than the descriptor shows.
    var isLent: Bool { if case .lent = self { true } else { false } }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Link.Moved {
        let moved =
            switch self {
            case .none: Link.Moved.wouldBlock
            case .own(let descriptor): moved("read", SocketIO.read(descriptor, into: buffer))
            case .lent(_, let handle): moved(handle.receive(into: buffer))
            }
        if case .bytes(0) = moved { return .ended(.closed) }
        return moved
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Link.Moved {
        switch self {
        case .none: .wouldBlock
        case .own(let descriptor): moved("write", SocketIO.write(descriptor, bytes))
        case .lent(_, let handle): moved(handle.send(bytes))
        }
    }

    private func moved(_ call: String, _ outcome: SocketIO.Outcome) -> Link.Moved {
        switch outcome {
        case .bytes(let count): .bytes(count)
        case .wouldBlock: .wouldBlock
        case .failed(let code):
            .ended(.failed(SystemError(call, code: code, subject: "the connection")))
        }
    }

    private func moved(_ outcome: EasyHandle.Moved) -> Link.Moved {
        switch outcome {
        case .bytes(let count): .bytes(count)
        case .wouldBlock: .wouldBlock
        case .failed(let error): .ended(.broken(error.description))
        }
    }
}
