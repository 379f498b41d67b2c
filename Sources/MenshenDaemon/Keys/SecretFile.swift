// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore

/// A file, or a systemd credential, that holds one key, token or password.
enum SecretFile {
    /// A sentence that says what to do.
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    /// `called`: what stands before the path where its text is at fault, such as "The key file ".
    static func read(
        _ path: String, isCredential: Bool, called: String = ""
    ) throws -> (secret: Secret, identity: FileIdentity) {
        let file = try PrivateFile.read(path, allowGroup: isCredential)
        do throws(KeyText.Fault) { return (try KeyText.read(file.bytes), file.identity) } catch {
            throw Fault(description: "\(called)\(path) \(error.sentence)")
        }
    }
}
