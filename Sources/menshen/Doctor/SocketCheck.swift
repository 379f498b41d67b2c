// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenDaemon

/// The Unix socket: who listens there, and who may reach it.
struct SocketCheck {
    private static let subject = "Socket"
    private let visit: DoctorVisit

    init(_ visit: DoctorVisit) { self.visit = visit }

    var findings: [Finding] {
        switch visit.daemon {
        case .nowhere(let fault): return [.failed(Self.subject, fault.message, fault.hint)]
        case .asleep(let place):
            return [
                .fine(Self.subject, "\(place.socket): systemd listens; menshen sleeps until it is asked for something")
            ]
                + exposure(place) + unit(place)
        case .away(let place):
            let start = RunningMenshen.start(place.socket, !place.isUsual)
            return [.failed(Self.subject, "nobody listens on \(place.socket)", "start it: \(start)")] + unit(place)
        case .silent(let place, let words):
            return [
                .failed(
                    Self.subject, "\(place.socket) is there and no answer is to be had: \(words)",
                    "'systemctl --user status menshen.service' says what it does; as another user, ask that one")
            ] + exposure(place) + unit(place)
        case .answers(let status):
            let mode = FileReading.mode(status.place.socket).map { "\(FileMode.text($0)), " } ?? ""
            let words = "\(status.place.socket) answers (\(mode)pid \(status.look.pid)), \(status.look.state)"
            return [.fine(Self.subject, words)] + exposure(status.place) + tokens(status)
        }
    }

    /// A usual one is for its own user alone.
    private func exposure(_ place: DaemonPlace) -> [Finding] {
        guard place.isUsual else { return [] }
        let directory = PrivateDirectory.parent(of: place.socket)
        var findings: [Finding] = []
        for path in [directory, place.socket] {
            if let owner = FileReading.owner(path), owner != PeerIdentity.ownUID {
                findings.append(
                    .failed(
                        Self.subject, "\(path) belongs to uid \(owner)",
                        "do not send anything there; 'ls -ld \(path)' shows whose it is"))
            }
        }
        if let mode = FileReading.mode(directory), mode & 0o077 != 0 {
            findings.append(
                .warning(
                    Self.subject, "other users may look into \(directory) (mode \(FileMode.text(mode)))",
                    "chmod 700 \(directory)"))
        }
        return findings
    }

    /// One that systemd has given up on.
    private func unit(_ place: DaemonPlace) -> [Finding] {
        guard place.isUsual else { return [] }
        return ["menshen.socket", "menshen.service"].compactMap { unit in
            guard UserManager.ask("show -p ActiveState \(unit)")?.contains("=failed") == true else { return nil }
            return .failed(
                "Unit", "\(unit) has failed",
                "'journalctl --user -n 20 -u \(unit)' says why; then 'systemctl --user restart \(unit)'")
        }
    }

    private func tokens(_ status: DaemonStatus) -> [Finding] {
        var findings: [Finding] = []
        if let fault = status.accessFault {
            findings.append(
                .failed(
                    "Tokens", "those that were given out are refused: \(fault)",
                    "'journalctl --user -u menshen.service' says what to do"))
        }
        if let fault = status.cacheFault {
            findings.append(
                .warning(
                    "Cache", "stored answers are not in use: \(fault)", "look at the directory that [cache] path names")
            )
        }
        return findings
    }
}
