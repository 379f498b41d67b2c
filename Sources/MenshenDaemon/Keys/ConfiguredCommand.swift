// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import Subprocess
internal import SystemPackage

/// A command that the configuration names, as it is started: without a shell, in a process group of its own, with few variables.
struct ConfiguredCommand {
    let executable: Executable
    let arguments: Arguments
    let environment: Subprocess.Environment
    let options: PlatformOptions

    /// nil without a program. `passedOn`: names of menshen's own variables that it gets; `more`: others.
    init?(_ argv: [String], passedOn: [String], and more: [(name: String, value: String)] = []) {
        guard let program = argv.first else { return nil }
        executable = program.contains("/") ? .path(FilePath(program)) : .name(program)
        arguments = Arguments(Array(argv.dropFirst()))
        var values: [Subprocess.Environment.Key: String] = [:]
        for name in passedOn {
            if let value = Linux.Environment.value(name) { values[.init(stringLiteral: name)] = value }
        }
        for (name, value) in more { values[.init(stringLiteral: name)] = value }
        environment = .custom(values)
        var options = PlatformOptions()
        // A cancelled command and whatever it started are told to end, then made to.
        options.processGroupID = 0
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .milliseconds(500))
        ]
        self.options = options
    }

    /// Cancels `run` after `timeout`. `isLate`: that was the end of it. `sleep` waits for that time; a test gives one that it ends
    /// itself.
    static func within<Value: Sendable>(
        _ timeout: Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        _ run: @escaping @Sendable () async -> Value
    ) async -> (value: Value, isLate: Bool) {
        let work = Task { await run() }
        let clock = Task {
            try await sleep(timeout)
            work.cancel()
        }
        let value = await work.value
        defer { clock.cancel() }
        return (value, work.isCancelled)
    }
}
