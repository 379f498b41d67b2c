// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The user's `menshen-tcp.socket`, as the service manager knows it.
enum TCPUnit {
    /// Where it was to listen; nil unless it has failed.
    static func failedAddresses() -> [String]? {
        guard let text = UserManager.ask("show -p ActiveState -p Listen menshen-tcp.socket"),
            text.contains("ActiveState=failed")
        else { return nil }
        return text.split(separator: "\n").filter { $0.hasPrefix("Listen=") }.map {
            String($0.dropFirst(7).prefix { $0 != " " })
        }
    }

    /// What its owner has to do if the unit could not get its port; nil if it has it, or is not in use.
    static func warning() -> String? {
        guard let addresses = failedAddresses() else { return nil }
        return """
            WARNING        menshen-tcp.socket has failed: somebody else may have \(addresses.joined(separator: " or ")).
                           A program pointed at that port hands its token to whoever listens there. See who does
                           ('ss -ltnp'), choose another port ('systemctl --user edit menshen-tcp.socket', an empty
                           ListenStream= line first), and replace the token if a program has used it since.
            """
    }
}
