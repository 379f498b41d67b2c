// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

/// A provider's key as systemd-creds(1) encrypts it: for the machine where root does it, else for this user on it.
struct CredentialFile {
    /// Its name, which is encrypted with it.
    private let name: String
    private let path: String
    private let isRoots: Bool

    init(_ named: NamedProvider, _ output: String?) {
        isRoots = PeerIdentity.ownUID == 0
        if case .credential(let given) = named.provider.key {
            name = given
        } else {
            name = named.provider.name + ".key"
        }
        let usual = isRoots ? "/etc/credstore.encrypted/\(name)" : "\(named.defaultPlace).cred"
        path = output ?? usual
    }

    func write(_ secret: Secret) throws {
        var text: [UInt8] = []
        secret.append(to: &text)
        defer { for index in text.indices { text[index] = 0 } }
        let user = isRoots ? [] : ["--user"]
        var status: Int32 = 0
        do {
            try PrivateDirectory.ensure(PrivateDirectory.parent(of: path))
            try PrivateFile.replace(path) { new throws(PrivateFileError) in
                let command = ["systemd-creds"] + user + ["--name=\(name)", "encrypt", "-", new]
                do throws(SystemError) { status = try Program.run(command, input: text) } catch { throw .system(error) }
                return status == 0
            }
        } catch {
            throw Terminal.fault(
                "\(error). Is systemd-creds installed? A file needs nothing: leave --credential out.", code: 71)
        }
        if status != 0 {
            let hint = isRoots ? "" : " For a user's credentials it has to be of systemd 256 or later."
            throw Terminal.fault("systemd-creds failed (\(status)); nothing was written.\(hint)", code: 71)
        }
        Terminal.print("\(path) written: the credential '\(name)', encrypted, \(secret.fingerprint).")
        Terminal.print(isRoots ? rootsUse : usersUse)
    }

    private var rootsUse: String {
        """
        To use it, write into the unit's [Service] (systemctl edit), and restart it, as systemd decrypts credentials at its start:
          LoadCredentialEncrypted=\(name):\(path)
        and below the provider's base_url:
          api_key_credential = \(TOMLText.quoted(name))
        """
    }

    /// User units cannot load what is encrypted before systemd 258.
    private var usersUse: String {
        let words = ["systemd-creds", "--user", "--name=\(name)", "decrypt", path, "-"].map(TOMLText.quoted)
        return """
            To use it, write below the provider's base_url, and reload:
              api_key_command = [\(words.joined(separator: ", "))]
            """
    }
}
