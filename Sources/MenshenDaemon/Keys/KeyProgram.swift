// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Subprocess

/// Runs a provider's `api_key_command` off the reactor's thread.
enum KeyProgram {
    /// More than any key, less than what would be a mistake.
    private static let outputLimit = 64 << 10
    /// What a helper needs to find its own configuration; nothing of systemd's sockets and nothing of ours.
    private static let passedOn = [
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TERM", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME",
        "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "DBUS_SESSION_BUS_ADDRESS", "GNUPGHOME",
        "PASSWORD_STORE_DIR",
        "SSH_AUTH_SOCK", "CREDENTIALS_DIRECTORY", "VAULT_ADDR", "OP_ACCOUNT", "BW_SESSION", "BITWARDENCLI_APPDATA_DIR",
        "AWS_PROFILE", "AWS_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "CLOUDSDK_CONFIG",
        "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CONFIG_DIR",
    ]

    /// `ended` is called once, on a thread of Swift's pool. `sleep` waits for that time; a test gives one that it ends itself.
    static func start(
        _ argv: [String], timeout: Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        ended: @escaping @Sendable (Result<Secret, KeyCommandFailure>) -> Void
    ) {
        Task { ended(await run(argv, timeout: timeout, sleep)) }
    }

    private static func run(
        _ argv: [String], timeout: Duration, _ sleep: @escaping @Sendable (Duration) async throws -> Void
    ) async -> Result<Secret, KeyCommandFailure> {
        guard let command = ConfiguredCommand(argv, passedOn: passedOn) else {
            return .failure(KeyCommandFailure(message: "api_key_command is empty."))
        }
        let program = argv[0]
        let (result, isLate) = await ConfiguredCommand.within(timeout, sleep: sleep) { await capture(program, command) }
        return isLate
            ? .failure(
                KeyCommandFailure(message: "The key command '\(program)' did not end within api_key_command_timeout."))
            : result
    }

    private static func capture(
        _ program: String, _ command: ConfiguredCommand
    ) async -> Result<Secret, KeyCommandFailure> {
        do {
            let outcome = try await Subprocess.run(
                command.executable, arguments: command.arguments, environment: command.environment,
                platformOptions: command.options, input: .none, output: .bytes(limit: outputLimit), error: .discarded)
            guard outcome.terminationStatus.isSuccess else {
                // What it says on its standard error may be the key: "sh -x" shows each command.
                return .failure(
                    KeyCommandFailure(
                        message:
                            "The key command '\(program)' failed (\(outcome.terminationStatus)). Run it by hand to see why."
                    ))
            }
            do throws(KeyText.Fault) {
                return .success(try KeyText.read(outcome.standardOutput))
            } catch {
                return .failure(
                    KeyCommandFailure(message: "What the key command '\(program)' printed \(error.sentence)"))
            }
        } catch {
            return .failure(KeyCommandFailure(message: "The key command '\(program)' could not be run: \(error)"))
        }
    }
}
