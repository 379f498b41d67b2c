// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Reactor
internal import TLS

/// TLS on one link's socket: its handshake, and records that the socket has not taken.
final class Security {
    enum Step {
        case needsMore
        case done
        case failed(UpstreamFailure)
    }

    let channel: TLSChannel
    private let engine: TransferEngine
    private(set) var isShaking = true
    /// Records that wait. Each piece stays where it is: libcurl's TLS wants what it did not take again from the same place.
    private var backlog: [SendBuffer] = []
    /// Why nothing can be sent any more.
    private(set) var failure: Link.Ending?

    private static var nothing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    init(_ client: TLSClient, _ endpoint: Endpoint, offersHTTP2: Bool, _ engine: TransferEngine) throws {
        do {
            channel = try TLSChannel(
                client, host: endpoint.settings.hostName, offersHTTP2: offersHTTP2, through: engine.pipe,
                endpoint.tickets)
        } catch { throw UpstreamFailure(.tls, error.description) }
        self.engine = engine
    }

    var hasMore: Bool { channel.hasMore }

    // MARK: Out

    /// Records that libssl has made since the last call of `send`.
    var hasToSend: Bool { !engine.pipe.outgoing.isEmpty }
    /// Nothing waits for the socket; after a failure nothing does.
    var isSent: Bool { backlog.isEmpty }

    /// Sends what was left over, and behind it what has been made. Returns how many bytes went.
    func send(to socket: LinkSocket) -> Int {
        let made = engine.pipe.outgoing
        defer { engine.pipe.wasTaken() }
        var count = 0
        if backlog.isEmpty, !socket.isLent {
            count = send(made, to: socket)
            if count < made.count { keep(UnsafeRawBufferPointer(rebasing: made[count...])) }
            return count
        }
        if !made.isEmpty { keep(made) }
        while let first = backlog.first {
            if let bytes = first.next {
                let sent = send(bytes, to: socket)
                first.sent(sent)
                count += sent
                if sent < bytes.count {
                    first.wouldBlock()
                    break
                }
            } else {
                backlog.removeFirst()
            }
        }
        if failure != nil { backlog = [] }
        return count
    }

    private func send(_ bytes: UnsafeRawBufferPointer, to socket: LinkSocket) -> Int {
        var count = 0
        while count < bytes.count, failure == nil {
            switch socket.write(UnsafeRawBufferPointer(rebasing: bytes[count...])) {
            case .bytes(let more): count += more
            case .wouldBlock: return count
            case .ended(let ending): failure = ending
            }
        }
        return count
    }

    private func keep(_ records: UnsafeRawBufferPointer) {
        // Nobody will take them.
        if failure != nil { return }
        let kept = SendBuffer(capacity: records.count)
        kept.append(records)
        backlog.append(kept)
    }

    /// Says goodbye, where the other side can hear it.
    func end(_ socket: LinkSocket) {
        guard isSent, failure == nil else { return }
        channel.sayGoodbye()
        _ = send(to: socket)
    }

    // MARK: In

    func shake(_ socket: LinkSocket, hasRecords: Bool) -> Step {
        var records = Self.nothing
        if hasRecords {
            switch socket.read(into: engine.pipe.input) {
            case .wouldBlock: return .needsMore
            case .ended where channel.silentRefusal != nil:
                return .failed(UpstreamFailure(.tls, channel.silentRefusal?.description ?? ""))
            case .ended(let ending) where ending.isWhole:
                return .failed(UpstreamFailure(.tls, "the other end closed the connection during TLS's handshake"))
            case .ended(let ending):
                return .failed(UpstreamFailure(.tls, "during TLS's handshake: \(ending.detail)"))
            case .bytes(let count): records = UnsafeRawBufferPointer(rebasing: engine.pipe.input[..<count])
            }
        }
        switch channel.handshake(records) {
        case .needsMore: return .needsMore
        case .failed(let fault): return .failed(UpstreamFailure(.tls, fault.description))
        case .done:
            isShaking = false
            return .done
        }
    }

    func read(_ socket: LinkSocket, into buffer: UnsafeMutableRawBufferPointer) -> Link.Moved {
        if channel.hasMore, let moved = moved(channel.read(Self.nothing, into: buffer), socket) { return moved }
        let space = UnsafeMutableRawBufferPointer(
            rebasing: engine.pipe.input.prefix(TLSChannel.intake(for: buffer)))
        while true {
            switch socket.read(into: space) {
            case .wouldBlock: return .wouldBlock
            case .ended(let ending) where channel.silentRefusal != nil:
                let detail = channel.silentRefusal?.description ?? ending.detail
                return .ended(
                    Link.Ending(detail: detail, wasClosed: ending.wasClosed, isWhole: ending.isWhole, reason: .tls))
            case .ended(let ending) where ending.isWhole && !channel.isClosed:
                return .ended(
                    Link.Ending(
                        detail: "the provider closed the connection without TLS's close_notify", wasClosed: true,
                        isWhole: false))
            case .ended(let ending): return .ended(ending)
            case .bytes(let count):
                let records = UnsafeRawBufferPointer(rebasing: space[..<count])
                if let moved = moved(channel.read(records, into: buffer), socket) { return moved }
                // What libcurl holds of a record, epoll does not show.
                if !socket.isLent { return .wouldBlock }
            }
        }
    }

    /// nil: more records are needed.
    private func moved(_ read: TLSChannel.Read, _ socket: LinkSocket) -> Link.Moved? {
        switch read {
        case .bytes(let count): .bytes(count)
        case .nothing: nil
        case .closed: .ended(goodbye(socket))
        case .failed(let fault): .ended(.broken(fault.description, fault.isRefusal ? .tls : .reset))
        }
    }

    /// close_notify, with the end of TCP if that is there already.
    private func goodbye(_ socket: LinkSocket) -> Link.Ending {
        switch socket.read(into: engine.pipe.input) {
        case .ended(let ending) where ending.wasClosed: ending
        case .wouldBlock: .goodbye(isOpen: true)
        case .ended, .bytes: .goodbye(isOpen: false)
        }
    }
}
