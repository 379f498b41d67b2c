// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenDaemon

/// What `menshen config check` says, and whether the running menshen goes by that file.
struct ConfigurationCheck {
    private static let subject = "Configuration"
    private let visit: DoctorVisit

    init(_ visit: DoctorVisit) { self.visit = visit }

    var findings: [Finding] {
        guard let file = visit.file else {
            return [.failed(Self.subject, "HOME and XDG_CONFIG_HOME lead nowhere", "set HOME, or say --config FILE")]
        }
        if FileReading.mode(file) == nil, visit.configuration == nil {
            return [
                .failed(Self.subject, "there is none at \(file)", "'menshen config init' writes one, with comments")
            ]
                + running(file)
        }
        var findings = visit.diagnostics.map { diagnostic in
            let place = diagnostic.line > 0 ? "\(diagnostic.line):\(diagnostic.column): " : ""
            let isError = diagnostic.severity == .error
            return Finding(
                subject: Self.subject, state: isError ? .failed : .warning, text: place + diagnostic.message,
                fix: diagnostic.hint ?? (isError ? "change that place in \(file), then 'menshen config check'" : nil))
        }
        if let configuration = visit.configuration {
            let count = Figures.counted(Int64(configuration.providers.count), "provider")
            findings.insert(.fine(Self.subject, "\(file), \(count)"), at: 0)
            findings += TLSFilesCheck.warnings(configuration).map { .warning(Self.subject, $0, nil) }
        }
        for name in UserManager.unseen(visit.used) {
            let (message, hint) = UserManager.unseenWords(name)
            findings.append(.warning(Self.subject, message, hint))
        }
        return findings + running(file)
    }

    private func running(_ file: String) -> [Finding] {
        guard let status = visit.status else { return [] }
        if let fault = status.fault {
            return [
                .failed(
                    Self.subject, "the running menshen answers no request: \(fault)",
                    "'menshen config check \(status.configuration)', then 'systemctl --user reload menshen'")
            ]
        }
        if status.configuration != file,
            PrivateFile.identity(of: status.configuration) != PrivateFile.identity(of: file)
        {
            return [
                .warning(
                    Self.subject, "the running menshen goes by \(status.configuration)",
                    "say --config \(status.configuration) to look at that one")
            ]
        }
        let changed = PrivateFile.identity(of: status.configuration).map { $0.modifiedNanoseconds / 1000 } ?? 0
        guard status.configuredAt > 0, changed > status.configuredAt else { return [] }
        return [
            .warning(
                Self.subject,
                "it was changed at \(LocalTime.text(changed)), and the running menshen goes by what was there before",
                "'menshen config check', then 'systemctl --user reload menshen'")
        ]
    }
}

/// Whether each provider's key could be had now. No key is shown, and no key command is run.
struct KeysCheck {
    private static let subject = "Keys"
    private let visit: DoctorVisit

    init(_ visit: DoctorVisit) { self.visit = visit }

    var findings: [Finding] {
        guard let configuration = visit.configuration, let file = visit.file else { return [] }
        let faults = configuration.providers.compactMap { provider -> Finding? in
            let running = visit.status?.look.providers.first { $0.name == provider.name }?.keyTrouble
            guard let fault = KeySourceCheck.fault(of: provider) ?? running.map({ "menshen says: \($0)" }) else {
                return nil
            }
            return .failed(provider.name, fault, "'menshen key set \(provider.name)' takes one and says where it goes")
        }
        let entries = configuration.providers.flatMap { KeyInventory.entries($0, configuration: file) }
        var counts: [(words: String, count: Int)] = []
        for entry in entries where entry.source != "none" && entry.trouble == nil {
            let mode = entry.source == "file" ? entry.mode.map { ", mode \(FileMode.text($0))" } ?? "" : ""
            let words = Self.words(entry.source) + mode
            if let place = counts.firstIndex(where: { $0.words == words }) {
                counts[place].count += 1
            } else {
                counts.append((words, 1))
            }
        }
        let list = counts.map { "\($0.count) \($0.words)" }.joined(separator: "; ")
        if list.isEmpty { return faults.isEmpty ? [.fine(Self.subject, "no provider has one")] : faults }
        return [.fine(Self.subject, list)] + faults
    }

    private static func words(_ source: String) -> String {
        switch source {
        case "file": "in a file"
        case "credential": "from systemd's credentials, which only the service sees"
        case "command": "from a command, which was not run"
        default: "in the configuration"
        }
    }
}
