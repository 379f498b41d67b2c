// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenDaemon

/// What the running menshen knows of each provider, and with `--online` what each answers.
struct ProvidersCheck {
    private static let subject = "Providers"
    private let visit: DoctorVisit

    init(_ visit: DoctorVisit) { self.visit = visit }

    var findings: [Finding] {
        guard let status = visit.status else {
            return visit.command.online
                ? [.warning(Self.subject, "they were not asked: no menshen answers that has the keys", nil)] : []
        }
        if visit.command.online { return asked(status) }
        let ill = status.look.providers.compactMap { provider -> Finding? in
            let words = "\(provider.state)\(provider.failure.map { ": \($0)" } ?? "")"
            let way = "'menshen logs --provider \(provider.name) --end failed' shows its requests"
            switch provider.health {
            // What its key lacks was said before.
            case "left_alone": return provider.keyTrouble == nil ? .failed(provider.name, words, way) : nil
            case "paused": return .warning(provider.name, words, way)
            default: return nil
            }
        }
        if !ill.isEmpty { return ill }
        let used = status.look.providers.count { $0.health != "off" }
        return [.fine(Self.subject, "\(Figures.counted(Int64(used), "provider")) in use, none left alone")]
    }

    private func asked(_ status: DaemonStatus) -> [Finding] {
        let running = Set(status.look.providers.map(\.name))
        return (visit.configuration?.providers ?? []).filter { $0.turn.weight > 0 }.map { provider in
            guard running.contains(provider.name) else {
                return .warning(
                    provider.name, "the running menshen does not know it", "'systemctl --user reload menshen'")
            }
            do {
                return Self.finding(provider.name, try ProviderProbe.run(provider, socket: status.place.socket))
            } catch {
                return .failed(provider.name, "it could not be asked: \(error)", "'menshen status' says how menshen is")
            }
        }
    }

    static func finding(_ name: String, _ probe: ProviderProbe) -> Finding {
        let came = "\(probe.status) in \(probe.milliseconds) ms" + (probe.message.isEmpty ? "" : ": \(probe.message)")
        let story = "'menshen show \(probe.requestID)' tells what was tried"
        switch probe.verdict {
        case .works: return .fine(name, "its key works: \(came)")
        case .refused: return .failed(name, "its key is refused: \(came)", "'menshen key set \(name)' takes another")
        case .limited: return .warning(name, "its key is limited at present: \(came)", story)
        case .unclear: return .warning(name, "its key may work or not: \(came)", story)
        case .unreachable:
            return .failed(
                name, "it cannot be reached: \(probe.message)", "\(story); base_url says where it is looked for")
        case .notAsked: return .warning(name, "menshen did not ask it: \(came)", story)
        }
    }
}

/// Limits that are nearly used up.
struct BudgetsCheck {
    private let visit: DoctorVisit

    init(_ visit: DoctorVisit) { self.visit = visit }

    var findings: [Finding] {
        guard let status = visit.status,
            let page = try? AdminClient.ask(
                socket: status.place.socket, "GET", AdminClient.usage, as: "application/json")
        else { return [] }
        let pots = UsageBudgets.read(page).pots
        if pots.isEmpty { return [] }
        let near = pots.filter { $0.isKnown && $0.share >= 800 }.sorted { $0.share > $1.share }
        if near.isEmpty {
            return [.fine("Budgets", "\(Figures.counted(Int64(pots.count), "limit")), none used by 80%")]
        }
        return near.map {
            .warning(
                "Budgets", "\($0.holder) has used \(Figures.share($0.spent, of: $0.amount)) of \($0.limitText)",
                "'menshen usage --budgets' says when it begins anew")
        }
    }
}
