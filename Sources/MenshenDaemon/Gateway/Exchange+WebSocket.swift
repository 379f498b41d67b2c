// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream

/// *attempt* and *relay* of a request that asks for a WebSocket.
extension Exchange {
    func understandUpgrade(_ resolved: ResolvedTarget) {
        upgrade = WebSocketUpgrade(head)
        if upgrade == nil { return }
        if facts.model == nil { (facts.model, modelFault) = resolved.target.queryModel }
        // What a broken handshake leaves cannot be told from frames.
        keepAlive = false
    }

    func tunnel(
        _ upgrade: WebSocketUpgrade, _ index: Int, _ provider: Provider, _ secret: Secret?, _ target: [UInt8]
    ) throws {
        let tunnel = Tunnel(
            worker.engine, to: runtime.endpoint(index), target: target.dropLast(), receiver: self)
        head.bytes.withUnsafeBytes { bytes in
            tunnel.headers.addHeader("Sec-WebSocket-Key: ", UnsafeRawBufferPointer(rebasing: bytes[upgrade.key]))
        }
        tunnel.headers.addHeader("Upgrade: ", "websocket")
        tunnel.headers.addHeader("Sec-WebSocket-Version: ", "13")
        if !upgrade.protocols.isEmpty {
            upgrade.protocols.withUnsafeBytes { tunnel.headers.addHeader("Sec-WebSocket-Protocol: ", $0) }
        }
        writeHeaders(tunnel.headers, provider, secret, runtime.replacedHeaders[index], .none)
        let relay = WebSocketRelay()
        webSocket = relay
        try relay.start(tunnel)
    }

    /// Bytes of the caller's side of the WebSocket; returns how many were taken.
    func receiveTunnelled(_ bytes: UnsafeRawBufferPointer) -> Int {
        let taken = webSocket?.send(bytes) ?? bytes.count
        bytesIn += Int64(taken)
        return taken
    }
}

extension Exchange: TunnelReceiver {
    func tunnelReceivedHead(_ tunnel: Tunnel) {
        wait(.nothing)
        let outcome = AttemptOutcome.answered(status: tunnel.head.status)
        report(outcome, head: tunnel.head)
        firstByteAt = Clock.monotonic()
        status = tunnel.head.status
        worker.prepare(&connection.output)
        if tunnel.head.status == 101 {
            framing = .untilClose
            tunnel.head.appendWebSocket(to: &connection.output, additions)
            webSocket?.open()
            connection.becomeTunnel()
        } else {
            framing = tunnel.head.append(
                to: &connection.output, method: head.method, isHTTP11: head.isHTTP11, keepAlive: &keepAlive,
                additions)
        }
        connection.mark()
    }

    func tunnelReceived(_ tunnel: Tunnel, _ bytes: UnsafeRawBufferPointer) -> Bool {
        worker.prepare(&connection.output)
        if webSocket?.isOpen == true {
            webSocket?.passed(bytes)
            connection.output.append(contentsOf: bytes)
            bytesOut += Int64(bytes.count)
            connection.mark()
        } else if framing == .chunked {
            connection.output.append(hexadecimal: bytes.count)
            connection.output.append(ascii: "\r\n")
            deliver(bytes)
            connection.output.append(ascii: "\r\n")
        } else {
            deliver(bytes)
        }
        return connection.pendingOutput < connection.highWater
    }

    func tunnelHasRoom(_ tunnel: Tunnel) { connection.resumeReading() }

    func tunnelEnded(_ tunnel: Tunnel, _ failure: UpstreamFailure?) {
        let relay = webSocket
        relay?.ended()
        guard relay?.isOpen == true else { return refusalEnded(failure) }
        let failure =
            relay?.hasClosed == true ? nil : failure ?? UpstreamFailure(.truncated, "closed without a close frame")
        finishAttempt(failure, status: status)
        guard let failure else { return end(.complete, .keepAlive(false)) }
        problemCode = Self.problem(failure, provider: providerName).code.rawValue
        end(failure.isTimeout ? .timeout : .truncated, .breakOff(needsReset: false))
    }

    /// The end of an answer that is no 101.
    private func refusalEnded(_ failure: UpstreamFailure?) {
        if let failure, framing == nil {
            webSocket = nil
            return tryFailed(failure)
        }
        finishAttempt(failure, status: status)
        guard let failure else {
            if framing == .chunked { connection.output.append(ascii: "0\r\n\r\n") }
            return end(.complete, .keepAlive(false))
        }
        problemCode = Self.problem(failure, provider: providerName).code.rawValue
        end(failure.isTimeout ? .timeout : .truncated, .breakOff(needsReset: framing == .untilClose))
    }
}
