// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore

/// What a connection needs to know of the configuration, as numbers.
struct ConnectionSettings {
    /// Descriptors that are no connection's: database, key commands, the loop's own.
    private static let reservedDescriptors = 32...256
    /// Callers on TCP that no request has made known yet.
    private static let newcomers = 256

    let maxHeaderBytes: Int
    let maxBodyBytes: Int
    /// Open connections of the process, and of this worker.
    let limit: Int
    let isLimitOfDescriptors: Bool
    let maxConnections: Int
    /// Of those on TCP, where a Unix socket is listened on too: strangers must not shut its callers out.
    let maxTCP: Int
    let maxNewcomers: Int
    let maxBufferedBodies: Int
    /// Microseconds.
    let headerTimeout: UInt64
    let bodyTimeout: UInt64
    let idleTimeout: UInt64
    let writeTimeout: UInt64

    init(_ configuration: Configuration, workers: Int) {
        let server = configuration.server
        let openFiles = (try? ProcessHardening.raiseOpenFiles()) ?? 1024
        let reserve = min(
            max(openFiles / 8, Self.reservedDescriptors.lowerBound), Self.reservedDescriptors.upperBound)
        // A connection and its upstream each have one.
        let possible = max(1, (openFiles - reserve) / 2)
        limit = min(server.maxConnections, possible)
        isLimitOfDescriptors = possible < server.maxConnections
        maxConnections = max(1, limit / workers)
        maxTCP = max(1, maxConnections - max(1, maxConnections / 8))
        maxNewcomers = max(1, min(Self.newcomers, maxTCP / 2))
        maxHeaderBytes = server.maxHeaderBytes
        maxBodyBytes = server.maxBodyBytes
        maxBufferedBodies = server.maxBufferedBodies / workers
        headerTimeout = server.headerTimeout.microseconds
        bodyTimeout = server.bodyTimeout.microseconds
        idleTimeout = server.idleTimeout.microseconds
        writeTimeout = configuration.upstream.gapTimeout.microseconds
    }
}
