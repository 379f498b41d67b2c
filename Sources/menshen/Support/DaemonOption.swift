// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

/// `--socket`, for commands that speak with the running menshen.
struct DaemonOption: ParsableArguments {
    @Option(name: .long, help: "Unix socket of the running menshen (default: $XDG_RUNTIME_DIR/menshen/menshen.sock).")
    var socket: String?

    func path() throws -> String {
        do { return try socket ?? StandardPaths.socket() } catch { throw Terminal.fault("\(error)", code: 69) }
    }

    func place() throws -> DaemonPlace { DaemonPlace(socket: try path(), isUsual: socket == nil) }

    /// What was done is recorded by the running menshen, or at least in the journal.
    func record(_ act: KeyAct) {
        AdminClient.record(act, socket: try? path())
    }

    /// Has the running menshen read its configuration again, and forget what has failed; none is started for that. Returns what
    /// became of it.
    func reload() -> String {
        let unit = "menshen.service"
        if socket == nil, let state = UserManager.ask("show -p ActiveState \(unit)") {
            if state.contains("ActiveState=active") {
                return UserManager.ask("reload \(unit)") != nil
                    ? "\(unit) has reloaded."
                    : "\(unit) could not be reloaded: 'systemctl --user status \(unit)' says why. It reads the key with its next request all the same."
            }
            let hasSocket = UserManager.ask("show -p ActiveState menshen.socket")?.contains("=active") == true
            if hasSocket { return "\(unit) is not running; it reads the key when it is asked for something." }
        }
        guard let path = try? socket ?? StandardPaths.socket(), let pid = try? AdminClient.instance(socket: path).pid
        else { return "No menshen is running; it reads the key when it is started." }
        return ProcessSignal.hangUp(pid)
            ? "menshen (pid \(pid)) was told to reload."
            : "menshen (pid \(pid)) is another user's and was not told to reload; it reads the key with its next request."
    }
}

/// Where a menshen is spoken to.
struct DaemonPlace: Sendable {
    let socket: String
    /// The user's service manager may listen there.
    let isUsual: Bool

    /// Whoever connects starts it. What the system's own manager listens on can't be seen.
    var isAsleep: Bool {
        guard isUsual, let text = UserManager.ask("show -p ActiveState menshen.socket menshen.service") else {
            return false
        }
        let states = text.split(separator: "\n").map { $0.dropFirst("ActiveState=".utf8.count) }
        return states.count == 2 && states[0] == "active" && !["active", "activating", "reloading"].contains(states[1])
    }
}
