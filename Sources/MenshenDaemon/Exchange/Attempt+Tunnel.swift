// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream

/// The provider's answer to a request that asks for a WebSocket.
extension Attempt: TunnelReceiver {
    func tunnelReceivedHead(_ tunnel: Tunnel) {
        let exchange = exchange
        let connection = exchange.connection
        exchange.enter(.relaying)
        exchange.report(.answered(status: tunnel.head.status), head: tunnel.head)
        exchange.worker.prepare(&connection.output)
        let now = Clock.monotonic()
        if tunnel.head.status == 101 {
            exchange.writer.beginTunnel(tunnel.head, exchange.additions, at: now, to: &connection.output)
            webSocket?.open()
            connection.becomeTunnel()
        } else {
            exchange.writer.begin(tunnel.head, exchange.additions, at: now, to: &connection.output)
        }
        connection.mark()
    }

    func tunnelRoom(_ tunnel: Tunnel) -> Int { exchange.connection.room }

    func tunnelReceived(_ tunnel: Tunnel, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let exchange = exchange
        let connection = exchange.connection
        exchange.worker.prepare(&connection.output)
        if let webSocket, webSocket.isOpen {
            webSocket.passed(bytes)
            exchange.writer.writeFrames(bytes, to: &connection.output)
        } else {
            exchange.writer.write(bytes, to: &connection.output)
        }
        connection.mark()
        return connection.pendingOutput < connection.highWater
    }

    func tunnelHasRoom(_ tunnel: Tunnel) { exchange.connection.resumeReading() }

    func tunnelEnded(_ tunnel: Tunnel, _ failure: UpstreamFailure?) {
        let exchange = exchange
        guard let webSocket else { return }
        webSocket.ended()
        var failure = failure
        if webSocket.isOpen {
            let isCut = !webSocket.hasClosed
            failure = isCut ? failure ?? UpstreamFailure(.truncated, "closed without a close frame") : nil
        } else if let failure, !exchange.writer.hasBegun {
            return exchange.attemptFailed(failure)
        }
        record(failure, status: exchange.writer.status)
        guard let failure else {
            exchange.writer.end(nil, to: &exchange.connection.output)
            return exchange.end(.complete, .keepAlive(false))
        }
        exchange.ledger.note(Problem(failure, provider: exchange.providerName))
        exchange.end(
            failure.isTimeout ? .timeout : .truncated,
            .breakOff(needsReset: !webSocket.isOpen && exchange.writer.needsReset))
    }
}
