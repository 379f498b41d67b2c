// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import Linux
package import MenshenCore

/// What can be said of a provider's keys without showing one.
package struct KeyEntry: Sendable, Equatable {
    package let provider: String
    /// Place in a pool, from 1; nil with one key.
    package var number: Int?
    /// "none", "configuration", "file", "credential" or "command".
    package let source: String
    /// Path of a file, name of a credential or a program.
    package var place: String?
    /// Permission bits.
    package var mode: UInt32?
    /// Wall microseconds.
    package var changed: Int64?
    /// Beginning of its SHA-256; nil where menshen alone can have the key.
    package var fingerprint: String?
    /// Why there is no key at present.
    package var trouble: String?
}

package enum KeyInventory {
    /// Where `menshen key set` puts the key of a provider that names no place.
    package static func defaultPlace(of provider: String, configuration path: String) -> String {
        PrivateDirectory.parent(of: path) + "/keys/" + provider
    }

    /// One entry for each key. `path`: of the configuration.
    package static func entries(_ provider: Provider, configuration path: String) -> [KeyEntry] {
        switch provider.key {
        case .none: [KeyEntry(provider: provider.name, source: "none")]
        case .inline(let key): [entry(provider, key, nil, path)]
        case .pool(let keys): keys.enumerated().map { entry(provider, $0.element, $0.offset + 1, path) }
        case .file(let file): [entry(provider, "file", file, isCredential: false)]
        case .credential(let name): [credential(provider, name)]
        case .command(let argv, _, _):
            [KeyEntry(provider: provider.name, source: "command", place: argv.first ?? "")]
        }
    }

    private static func entry(_ provider: Provider, _ key: Secret, _ number: Int?, _ path: String) -> KeyEntry {
        var entry = KeyEntry(provider: provider.name, number: number, source: "configuration", place: path)
        entry.read(path)
        entry.fingerprint = key.fingerprint
        return entry
    }

    private static func entry(
        _ provider: Provider, _ source: String, _ path: String, isCredential: Bool
    ) -> KeyEntry {
        var entry = KeyEntry(provider: provider.name, source: source, place: path)
        entry.read(path)
        do {
            entry.fingerprint = try SecretFile.read(path, isCredential: isCredential).secret.fingerprint
        } catch {
            entry.trouble = "\(error)"
        }
        return entry
    }

    /// The unit's own copy, where this process may look for it.
    private static func credential(_ provider: Provider, _ name: String) -> KeyEntry {
        let own = Environment.value("CREDENTIALS_DIRECTORY")
        let units = Environment.value("XDG_RUNTIME_DIR").map { $0 + "/credentials/menshen.service" }
        for directory in [own, units].compactMap({ $0 }) where FileReading.mode("\(directory)/\(name)") != nil {
            return entry(provider, "credential", "\(directory)/\(name)", isCredential: true)
        }
        return KeyEntry(provider: provider.name, source: "credential", place: name)
    }
}

extension KeyEntry {
    fileprivate mutating func read(_ path: String) {
        mode = FileReading.mode(path)
        changed = PrivateFile.identity(of: path).map { $0.modifiedNanoseconds / 1000 }
    }
}

extension Secret {
    /// Enough to tell two keys apart, and far too little to find one.
    package var fingerprint: String {
        let hex = digest.rawValue.prefix(4).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }
        return "sha256:" + hex.joined()
    }
}
