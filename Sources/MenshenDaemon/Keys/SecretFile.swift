// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Linux
package import MenshenCore

/// A file, or a systemd credential, that holds one key, token or password.
package enum SecretFile {
    /// A sentence that says what to do.
    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    /// `called`: what stands before the path where its text is at fault, such as "The key file ".
    package static func read(
        _ path: String, isCredential: Bool, called: String = ""
    ) throws -> (secret: Secret, identity: FileIdentity) {
        let file = try PrivateFile.read(path, allowGroup: isCredential)
        do throws(KeyText.Fault) { return (try KeyText.read(file.bytes), file.identity) } catch {
            throw Fault(description: "\(called)\(path) \(error.sentence)")
        }
    }
}
