// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import TestSupport
import Testing

@testable import MenshenUpstream

/// A provider's end of an HTTP/2 connection to a scene.
final class HTTP2Provider {
    let scene: Scene
    let peer = FramePeer()
    private let wire: Wire
    private(set) var hasEnded = false
    /// Frames that were read and not looked at.
    private var frames: [FramePeer.Frame] = []

    /// Of the next connection. `settings`: what it says first; nil: nothing yet.
    init(_ scene: Scene, settings: [(Int, Int)]? = []) throws {
        self.scene = scene
        wire = try scene.accept()
        try scene.settle()
        if let settings {
            peer.settings(settings)
            peer.settingsAnswer()
            try push()
        }
    }

    /// Sends what the peer has written, and lets it arrive.
    func push() throws {
        var bytes = peer.take()[...]
        try scene.until("room for what the provider sends") {
            bytes = bytes.dropFirst(try wire.writeWithoutWaiting(Array(bytes.prefix(32 << 10))))
            return bytes.isEmpty ? true : nil
        }
        try scene.settle()
    }

    /// All frames that have come.
    func look() throws -> [FramePeer.Frame] {
        try scene.settle()
        while !hasEnded, try !wire.isSilent(milliseconds: 0) {
            let bytes = try wire.read()
            hasEnded = bytes.isEmpty
            frames += try peer.read(bytes)
            try scene.settle()
        }
        defer { frames = [] }
        return frames
    }

    /// Waits for heads of requests; what comes with them is kept for `look`.
    func heads(_ count: Int = 1) throws -> [FramePeer.Frame] {
        var heads: [FramePeer.Frame] = []
        try scene.until("\(count) requests") {
            let new = try look()
            heads += new.filter { $0.kind == .headers }
            frames += new.filter { $0.kind != .headers }
            return heads.count >= count ? true : nil
        }
        return heads
    }

    /// Their numbers.
    func streams(_ count: Int = 1) throws -> [Int] {
        try heads(count).map {
            _ = try peer.fields(of: $0)
            return $0.stream
        }
    }

    func answer(_ stream: Int, _ text: String = "well") throws {
        peer.head(stream)
        peer.data(stream, text, isEnd: true)
        try push()
    }

    func close() throws {
        wire.close()
        try scene.settle()
    }
}

extension Scene {
    /// A request with nothing special, and who hears of it.
    func ask(_ method: String = "POST", _ body: TransferBody = .whole([1, 2, 3])) throws -> Hearer {
        let hearer = Hearer()
        _ = method == "GET" ? try ask(.get, "/v1/models", .none, hearer) : try ask(.post, "/v1/chat", body, hearer)
        return hearer
    }

    func untilOver(_ hearer: Hearer) throws { try until("the end of \(hearer.events)") { hearer.isOver ? true : nil } }
}
