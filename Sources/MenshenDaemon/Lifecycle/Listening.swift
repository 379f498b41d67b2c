// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import Systemd

/// Every socket the process accepts on, and what was made for it.
final class Listening {
    private(set) var sockets: [ListeningSocket] = []
    private var own: [UnixListener] = []
    private let inherited: Int

    /// Takes the inherited sockets and binds the others. Throws the first one that cannot be; with inherited sockets to
    /// serve that is no reason to end, and `failed` hears of it instead.
    init(
        _ activation: Activation, _ options: ServeOptions, _ addresses: [ListenAddress],
        metrics: ListenAddress?, failed: (String, ListenError) -> Void
    ) throws {
        inherited = activation.sockets.count
        for socket in activation.sockets { adopt(socket) }
        if let path = try options.socketPath ?? defaultSocket(addresses) {
            do throws(ListenError) {
                let listener = try UnixListener.bind(path)
                own.append(listener)
                sockets.append(
                    ListeningSocket(descriptor: listener.descriptor, kind: .unix(path: path), name: "unix:\(path)"))
            } catch {
                if inherited == 0 { throw error }
                failed("unix:\(path)", error)
            }
        }
        let all = addresses.map { ($0, false) } + [metrics].compactMap { $0 }.map { ($0, true) }
        for (address, isForMetrics) in all {
            do throws(ListenError) { try bind(address, isForMetrics: isForMetrics) } catch {
                if inherited == 0 { throw error }
                failed("\(Self.scheme(isForMetrics)):\(address)", error)
            }
        }
    }

    private static func scheme(_ isForMetrics: Bool) -> String { isForMetrics ? "metrics" : "tcp" }

    private func adopt(_ socket: ActivatedSocket) {
        switch socket.kind {
        case .unix:
            sockets.append(
                ListeningSocket(
                    descriptor: socket.descriptor, kind: .unix(path: socket.address), name: "unix:\(socket.address)"))
        case .tcp:
            let port = (try? TCPListener.port(of: socket.descriptor)) ?? 0
            let address = String(socket.address[..<(socket.address.lastIndex(of: ":") ?? socket.address.endIndex)])
            let bare = address.first == "[" ? String(address.dropFirst().dropLast()) : address
            sockets.append(
                ListeningSocket(
                    descriptor: socket.descriptor, kind: .tcp(addresses: [bare], port: port),
                    name: "tcp:\(socket.address)"))
        }
    }

    /// Started by hand with nothing else to listen on.
    private func defaultSocket(_ addresses: [ListenAddress]) throws(EnvironmentFault) -> String? {
        inherited > 0 || !addresses.isEmpty ? nil : try StandardPaths.socket()
    }

    /// Loopback is bound in both families; a machine without IPv6 keeps the other.
    private func bind(_ address: ListenAddress, isForMetrics: Bool) throws(ListenError) {
        var failure: ListenError?
        var bound = 0
        for literal in address.addresses {
            do throws(ListenError) {
                let fd = try TCPListener.bind(literal, port: address.port)
                let shown = literal.contains(":") ? "[\(literal)]" : literal
                sockets.append(
                    ListeningSocket(
                        descriptor: fd, kind: .tcp(addresses: [literal], port: address.port),
                        name: "\(Self.scheme(isForMetrics)):\(shown):\(address.port)", isForMetrics: isForMetrics))
                bound += 1
            } catch {
                if address.addresses.count > 1, literal.contains(":"), case .noSuchAddress = error { continue }
                failure = error
            }
        }
        if let failure, bound < address.addresses.count { throw failure }
    }

    /// Whether requests for providers may come over TCP.
    var hasTCP: Bool { !tcpAddresses.isEmpty }

    /// TCP addresses as the rule about them wants them.
    var inheritedTCP: [ListenAddress] { Self.addresses(sockets.prefix(inherited)) }
    var tcpAddresses: [ListenAddress] { Self.addresses(sockets[...]) }

    private static func addresses(_ sockets: ArraySlice<ListeningSocket>) -> [ListenAddress] {
        sockets.compactMap { socket in
            guard !socket.isForMetrics, case .tcp(let addresses, let port) = socket.kind, let first = addresses.first
            else { return nil }
            return ListenAddress(first.contains(":") ? "[\(first)]:\(port)" : "\(first):\(port)")
        }
    }

    /// Refuses who connects from here on to a TCP socket of our own; in a socket that stays open they would wait for
    /// nothing. Inherited ones are systemd's.
    func closeOwnTCP() {
        for socket in sockets.dropFirst(inherited) {
            if case .tcp = socket.kind { SocketIO.stopListening(socket.descriptor) }
        }
    }

    /// Takes the names of our own Unix sockets away. Inherited sockets belong to systemd: they stay as they are.
    func removeNames() { for listener in own { listener.remove() } }

    /// Idle exit makes sense only if somebody starts us again.
    var mayExitWhenIdle: Bool { inherited > 0 && inherited == sockets.count }
}
