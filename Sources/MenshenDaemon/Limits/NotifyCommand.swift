// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Subprocess

extension Worker {
    /// So much of a limit is used up: says so, and has the operator's command run.
    func tell(_ notice: LimitNotice, _ limits: LimitTable) {
        let figures = notice.figures(limits.zone)
        events.tell(.limitPassed(notice, resetsAt: figures.resetsAt))
        if limits.settings.notifyCommand.isEmpty { return }
        NotifyCommand.start(limits.settings.notifyCommand, figures.environment) { [events] reason in
            events.tell(.notifyFailed(reason))
        }
    }
}

extension LimitNotice {
    /// As the command finds them in its environment.
    fileprivate func figures(_ zone: ZoneRules) -> (resetsAt: String, environment: [(name: String, value: String)]) {
        let resetsAt = resetsAt.map { zone.stamp($0) } ?? "never"
        return (
            resetsAt,
            [
                ("MENSHEN_HOLDER_KIND", key.holder.kind.rawValue), ("MENSHEN_HOLDER", key.holder.name),
                ("MENSHEN_LIMIT", limit.description), ("MENSHEN_PERCENT", "\(percent)"),
                ("MENSHEN_SPENT", key.measure.text(spent)), ("MENSHEN_RESETS_AT", resetsAt),
            ]
        )
    }
}

/// Runs `limits.notify_command` off the reactor's thread. Nobody waits for it.
private enum NotifyCommand {
    private static let patience = Duration.seconds(30)
    private static let passedOn = [
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
        "DISPLAY", "WAYLAND_DISPLAY",
    ]

    /// `failed` is called on a thread of Swift's pool.
    static func start(
        _ argv: [String], _ figures: [(name: String, value: String)], failed: @escaping @Sendable (String) -> Void
    ) {
        guard let command = ConfiguredCommand(argv, passedOn: passedOn, and: figures) else { return }
        Task {
            let (reason, isLate) = await ConfiguredCommand.within(patience) { await run(command) }
            if isLate {
                failed("It did not end within \(patience.components.seconds) seconds.")
            } else if let reason {
                failed(reason)
            }
        }
    }

    /// nil if it went well.
    private static func run(_ command: ConfiguredCommand) async -> String? {
        do {
            let outcome = try await Subprocess.run(
                command.executable, arguments: command.arguments, environment: command.environment,
                platformOptions: command.options, input: .none, output: .discarded, error: .discarded)
            return outcome.terminationStatus.isSuccess ? nil : "It failed (\(outcome.terminationStatus))."
        } catch {
            return "It could not be run: \(error)"
        }
    }
}
