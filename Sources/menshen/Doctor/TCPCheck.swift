// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore

/// Who has the TCP ports.
struct TCPCheck {
    private static let subject = "TCP"
    private let visit: DoctorVisit

    init(_ visit: DoctorVisit) { self.visit = visit }

    var findings: [Finding] {
        var findings: [Finding] = []
        if visit.command.daemon.socket == nil, let addresses = TCPUnit.failedAddresses() {
            findings.append(
                .failed(
                    Self.subject,
                    "menshen-tcp.socket has failed: somebody else may have \(addresses.joined(separator: " or ")), and hears "
                        + "the tokens of programs that are pointed there",
                    "'ss -ltnp' shows who; 'systemctl --user edit menshen-tcp.socket' takes another port"))
        }
        return findings + (visit.status.map(own) ?? others)
    }

    private func own(_ status: DaemonStatus) -> [Finding] {
        let have = status.listeners.filter { $0.hasPrefix("tcp:") }.map { String($0.dropFirst(4)) }
        if have.isEmpty, wanted.isEmpty { return [.fine(Self.subject, "not in use")] }
        if let fault = status.tcpFault {
            return [
                .failed(
                    Self.subject, "every request over it is refused: \(fault)",
                    "'menshen token create NAME' makes a token")
            ]
        }
        var findings =
            have.isEmpty ? [] : [Finding.fine(Self.subject, "\(have.joined(separator: ", ")): menshen's own")]
        let missing = wanted.filter { !have.contains($0.shown) }.map(\.shown)
        // A machine without IPv6 lacks one of the two.
        if !missing.isEmpty, have.isEmpty || missing.contains(where: { !$0.hasPrefix("[::1]") }) {
            findings.append(
                .warning(
                    Self.subject, "the running menshen does not listen on \(missing.joined(separator: ", "))",
                    "restart it: addresses are taken at the start"))
        }
        return findings
    }

    private var others: [Finding] {
        if visit.configuration == nil { return [] }
        if wanted.isEmpty { return [.fine(Self.subject, "not in use")] }
        return wanted.map { address, port, shown in
            guard let uid = PortHolder.user(of: address, port: port) else {
                return .fine(Self.subject, "\(shown) is free")
            }
            let name = (try? Accounts.user(uid)?.name) ?? "uid \(uid)"
            return .failed(
                Self.subject, "a program of \(name) has \(shown), so menshen cannot listen there",
                "'ss -ltnp' shows which; end it, or write another address into 'listen'")
        }
    }

    /// What the configuration asks for.
    private var wanted: [(address: String, port: UInt16, shown: String)] {
        (visit.configuration?.listen ?? []).flatMap { listen in
            listen.addresses.map { ($0, listen.port, ($0.contains(":") ? "[\($0)]" : $0) + ":\(listen.port)") }
        }
    }
}
