// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore

/// The keys of one worker's providers: read when first needed, read again when their source changes.
final class KeyRing {
    enum Lookup {
        case ready(Secret?)
        /// A command runs; `keyArrived` follows.
        case pending
        /// The sentence says what to do.
        case failed(String)
    }

    private struct FileKey {
        let secret: Secret
        let identity: FileIdentity
    }

    private struct CommandKey {
        var secret: Secret?
        var failure: String?
        /// Monotonic microseconds after which the command runs again.
        var expires: UInt64 = 0
        var endedAt: UInt64 = 0
        var isRunning = false
    }

    /// A failed command is not run again for each request.
    private static let failureLifetime: UInt64 = 5_000_000

    private var files: [String: FileKey] = [:] { didSet { all = nil } }
    private var commands: [Int: CommandKey] = [:] { didSet { all = nil } }
    private var all: [Secret]?
    private let credentialsDirectory: String?
    private let run: (Int, [String], Duration) -> Void

    /// `run` starts a provider's command; its outcome comes back through `commandEnded`.
    init(credentialsDirectory: String?, run: @escaping (Int, [String], Duration) -> Void) {
        self.credentialsDirectory = credentialsDirectory
        self.run = run
    }

    /// `place`: in a pool of keys.
    func key(_ index: Int, _ source: KeySource, place: Int, now: UInt64) -> Lookup {
        switch source {
        case .none: .ready(nil)
        case .inline(let secret): .ready(secret)
        case .pool(let keys): .ready(keys[min(place, keys.count - 1)])
        case .file(let path): read(path, isCredential: false)
        case .credential(let name): credential(name)
        case .command(let argv, let timeout, _): command(index, argv, timeout, now)
        }
    }

    /// Asks the source again, because the provider refuses `refused`: for another key, if there is one by now.
    func keyAnew(_ index: Int, _ source: KeySource, place: Int, refused: Secret?, now: UInt64) -> Lookup {
        switch source {
        case .none, .inline, .pool: return key(index, source, place: place, now: now)
        case .file(let path): return read(path, isCredential: false, isAnew: true)
        case .credential(let name): return credential(name, isAnew: true)
        case .command(let argv, let timeout, _):
            guard var state = commands[index] else { break }
            // Whoever waits with us is answered by one run, and refused keys do not start one each.
            if state.isRunning { return .pending }
            if now < state.endedAt + Self.failureLifetime || state.secret?.digest != refused?.digest { break }
            state.isRunning = true
            commands[index] = state
            run(index, argv, timeout)
            return .pending
        }
        return key(index, source, place: place, now: now)
    }

    /// Every key in memory; what is recorded is searched for them. `providers`: always the same ones.
    func known(_ providers: [Provider]) -> [Secret] {
        if let all { return all }
        var secrets = files.values.map(\.secret) + commands.values.compactMap(\.secret)
        for provider in providers {
            secrets += provider.key.inlineKeys
            if let token = provider.signing?.sessionToken { secrets.append(token) }
        }
        all = secrets
        return secrets
    }

    private func credential(_ name: String, isAnew: Bool = false) -> Lookup {
        guard let directory = credentialsDirectory else {
            return .failed(
                "Its key is the systemd credential '\(name)', but $CREDENTIALS_DIRECTORY is not set. Add LoadCredential=\(name):FILE to menshen.service, or use api_key_file."
            )
        }
        return read(directory + "/" + name, isCredential: true, isAnew: isAnew)
    }

    /// One stat(2) per request tells whether the file changed; rotation needs no reload.
    private func read(_ path: String, isCredential: Bool, isAnew: Bool = false) -> Lookup {
        if !isAnew, let known = files[path], PrivateFile.identity(of: path) == known.identity {
            return .ready(known.secret)
        }
        do {
            let file = try PrivateFile.read(path, allowGroup: isCredential)
            guard let secret = Secret(keyText: file.bytes) else {
                // It is being rewritten in place, as a shell's > does: empty first.
                if let known = files[path] { return .ready(known.secret) }
                return .failed("The key file \(path) is empty, or holds more than one line of visible ASCII.")
            }
            files[path] = FileKey(secret: secret, identity: file.identity)
            return .ready(secret)
        } catch {
            // The last good key still serves while its file is being replaced.
            if let known = files[path] { return .ready(known.secret) }
            return .failed("\(error)")
        }
    }

    private func command(_ index: Int, _ argv: [String], _ timeout: Duration, _ now: UInt64) -> Lookup {
        var state = commands[index] ?? CommandKey()
        defer { commands[index] = state }
        if now >= state.expires, !state.isRunning {
            state.isRunning = true
            run(index, argv, timeout)
        }
        // While the command runs again the old key serves.
        if let secret = state.secret { return .ready(secret) }
        if state.isRunning { return .pending }
        return .failed(state.failure ?? "The key command of this provider gave no key.")
    }

    func commandEnded(_ index: Int, _ result: Result<Secret, KeyCommandFailure>, lifetime: Duration, now: UInt64) {
        var state = commands[index] ?? CommandKey()
        state.isRunning = false
        state.endedAt = now
        switch result {
        case .success(let secret):
            state.secret = secret
            state.failure = nil
            state.expires = now + lifetime.microseconds
        case .failure(let failure):
            state.failure = failure.message
            state.expires = now + Self.failureLifetime
        }
        commands[index] = state
    }
}

/// Why a key command gave no key; holds nothing the command printed on its standard output.
struct KeyCommandFailure: Error, Sendable {
    let message: String
}

extension Secret {
    /// A key as a file or a command gives it: one line of visible ASCII, line end and surrounding spaces dropped.
    convenience init?(keyText bytes: [UInt8]) {
        var part = bytes[...]
        while let last = part.last, last == 10 || last == 13 || last == 32 || last == 9 { part = part.dropLast() }
        while let first = part.first, first == 32 || first == 9 { part = part.dropFirst() }
        guard !part.isEmpty, part.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        self.init(Array(part))
    }
}
