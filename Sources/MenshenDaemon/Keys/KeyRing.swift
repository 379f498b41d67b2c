// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore

/// The keys of the providers, as one worker has them: read when first needed, read again when their source changes. What commands
/// print is all workers'.
final class KeyRing {
    enum Lookup {
        case ready(Secret?)
        /// The key is an earlier one: its source has been unusable for less than `grace`, for that reason.
        case stale(Secret, String)
        /// A command runs; `keyArrived` follows.
        case pending
        /// The sentence says what to do.
        case failed(String)
    }

    private struct FileKey {
        let secret: Secret
        let identity: FileIdentity
        var trouble: KeyTrouble?
    }

    /// How long an earlier key serves while its source is being replaced, or has failed: an editor and a deployment are done
    /// in seconds, and a key that somebody has taken away shall not go on for long.
    static let grace: UInt64 = 60_000_000
    private var files: [String: FileKey] = [:] { didSet { all = nil } }
    private let commands: KeyCommands
    private var all: SecretSet?
    /// Of the commands' keys that are in `all`.
    private var version = 0
    /// Why a file that never gave a key does not.
    private var missing: [String: String] = [:]
    private let credentialsDirectory: String?
    private let run: (Int, [String], Duration) -> Void

    /// `run` starts a provider's command; its outcome goes to `commands`.
    init(
        credentialsDirectory: String?, commands: KeyCommands = KeyCommands(),
        run: @escaping (Int, [String], Duration) -> Void
    ) {
        self.credentialsDirectory = credentialsDirectory
        self.commands = commands
        self.run = run
    }

    /// For one attempt. `refused`: the key that the provider has refused, if this one is to have another.
    func key(_ tried: RoutePlan.Try, _ provider: Provider, refused: Secret?, now: UInt64) -> Lookup {
        tried.rereads
            ? keyAnew(tried.provider, provider.key, place: tried.key, refused: refused, now: now)
            : key(tried.provider, provider.key, place: tried.key, now: now)
    }

    /// `place`: in a pool of keys.
    func key(_ index: Int, _ source: KeySource, place: Int, now: UInt64) -> Lookup {
        switch source {
        case .none: .ready(nil)
        case .inline(let secret): .ready(secret)
        case .pool(let keys): .ready(keys[min(place, keys.count - 1)])
        case .file(let path): read(path, isCredential: false, now: now)
        case .credential(let name): credential(name, now: now)
        case .command(let argv, let timeout, _): command(index, argv, timeout, now)
        }
    }

    /// Why a source gives no key at present, though an earlier one may still serve; nil if nothing is wrong that is known.
    func trouble(_ index: Int, _ source: KeySource) -> String? {
        switch source {
        case .none, .inline, .pool: nil
        case .file(let path): files[path]?.trouble?.reason ?? missing[path]
        case .credential(let name): credentialPath(name).flatMap { files[$0]?.trouble?.reason ?? missing[$0] }
        case .command: commands.trouble(index)
        }
    }

    /// Asks the source again, because the provider refuses `refused`: for another key, if there is one by now.
    func keyAnew(_ index: Int, _ source: KeySource, place: Int, refused: Secret?, now: UInt64) -> Lookup {
        switch source {
        case .none, .inline, .pool: return key(index, source, place: place, now: now)
        case .file(let path): return read(path, isCredential: false, isAnew: true, now: now)
        case .credential(let name): return credential(name, isAnew: true, now: now)
        case .command(let argv, let timeout, _):
            guard let (lookup, mustRun) = commands.keyAnew(index, refused: refused, now: now) else { break }
            if mustRun { run(index, argv, timeout) }
            return lookup
        }
        return key(index, source, place: place, now: now)
    }

    /// Every secret in memory; what is recorded is searched for them. An earlier key is with the requests that it went with,
    /// and nowhere else.
    func known(_ configured: @autoclosure () -> [Secret]) -> SecretSet {
        let current = commands.version
        if let all, version == current { return all }
        version = current
        let secrets = SecretSet(files.values.map(\.secret) + commands.secrets + configured())
        all = secrets
        return secrets
    }

    private func credentialPath(_ name: String) -> String? { credentialsDirectory.map { $0 + "/" + name } }

    private func credential(_ name: String, isAnew: Bool = false, now: UInt64) -> Lookup {
        guard let path = credentialPath(name) else {
            return .failed(
                "Its key is the systemd credential '\(name)', but $CREDENTIALS_DIRECTORY is not set. Add LoadCredential=\(name):FILE to menshen.service, or use api_key_file."
            )
        }
        return read(path, isCredential: true, isAnew: isAnew, now: now)
    }

    /// One stat(2) per request tells whether the file changed; rotation needs no reload.
    private func read(_ path: String, isCredential: Bool, isAnew: Bool = false, now: UInt64) -> Lookup {
        if !isAnew, let known = files[path], PrivateFile.identity(of: path) == known.identity {
            if known.trouble != nil { files[path]?.trouble = nil }
            return .ready(known.secret)
        }
        let reason: String
        do {
            let (secret, identity) = try SecretFile.read(path, isCredential: isCredential, called: "The key file ")
            files[path] = FileKey(secret: secret, identity: identity)
            missing[path] = nil
            return .ready(secret)
        } catch {
            reason = "\(error)"
        }
        // It may be being replaced: a shell's > empties it first.
        guard let known = files[path] else {
            missing[path] = reason
            return .failed(reason)
        }
        let trouble = KeyTrouble(since: known.trouble?.since ?? now, reason: reason)
        files[path]?.trouble = trouble
        return now < trouble.since + Self.grace ? .stale(known.secret, reason) : .failed(reason)
    }

    private func command(_ index: Int, _ argv: [String], _ timeout: Duration, _ now: UInt64) -> Lookup {
        let (lookup, mustRun) = commands.key(index, now: now)
        if mustRun { run(index, argv, timeout) }
        return lookup
    }
}
