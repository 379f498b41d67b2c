// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

struct KeySet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Write a provider's key to its file, mode 0600, and have menshen use it.",
        discussion: """
            Asks for the key at the terminal, where nothing of it is shown, or reads it from standard input:
              pass show openai | menshen key set openai
            A key is never an argument: every user of the machine could read it there.
            """)

    @Argument(help: "The provider's name.")
    var name: String

    @Flag(name: .long, help: "Encrypt it with systemd-creds(1) instead, for LoadCredentialEncrypted=.")
    var credential = false

    @Option(name: .long, help: "With --credential: where the encrypted credential goes.")
    var output: String?

    @OptionGroup var daemon: DaemonOption
    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let named = try NamedProvider(name, configuration)
        if let output, !output.hasPrefix("/") { throw Terminal.fault("--output is an absolute path", code: 64) }
        if credential {
            try CredentialFile(named, output).write(try key())
            return daemon.record(KeyAct(.set, name))
        }
        if output != nil { throw Terminal.fault("--output goes with --credential", code: 64) }
        let path: String
        let isNamed: Bool
        switch named.provider.key {
        case .file(let file): (path, isNamed) = (file, true)
        case .none: (path, isNamed) = (named.defaultPlace, false)
        case .inline, .pool, .credential, .command: throw named.unwritable("write")
        }
        let secret = try key()
        var text: [UInt8] = []
        secret.append(to: &text)
        text.append(10)
        defer { for index in text.indices { text[index] = 0 } }
        do {
            let directory = PrivateDirectory.parent(of: path)
            if !isNamed || FileReading.mode(directory) == nil { try PrivateDirectory.ensure(directory) }
            try PrivateFile.write(path, text)
        } catch {
            throw Terminal.fault("\(error)", code: 73)
        }
        daemon.record(KeyAct(.set, name))
        Terminal.print("\(path) written, mode 0600: the key of provider '\(name)', \(secret.fingerprint).")
        if isNamed { return Terminal.print(daemon.reload()) }
        Terminal.print(
            """
            Not in use yet. Write this below its base_url in \(named.configuration), and reload:
              api_key_file = \(TOMLText.quoted(path))
            """)
    }

    /// As a file that holds it would be read.
    private func key() throws -> Secret {
        var bytes: [UInt8] = []
        defer { for index in bytes.indices { bytes[index] = 0 } }
        do {
            bytes =
                SecretInput.isTerminal
                ? try SecretInput.typed("Key of provider '\(name)' (it is not shown): ", limit: Self.limit)
                : try SecretInput.piped(limit: Self.limit)
        } catch {
            throw Terminal.fault("\(error)", code: 71)
        }
        if bytes.count > Self.limit { throw Terminal.fault("what was given is longer than any key", code: 65) }
        do throws(KeyText.Fault) { return try KeyText.read(bytes) } catch {
            throw Terminal.fault("what was given \(error.sentence)", code: 65)
        }
    }

    /// The longest keys, signed tokens, have a few thousand bytes.
    private static let limit = 16 << 10
}
