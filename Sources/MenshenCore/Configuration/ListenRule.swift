// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Whether TCP addresses may be listened on with this authentication. Used for `listen` and for `--listen`.
package enum ListenRule {
    package struct Remark: Sendable, Equatable {
        package var severity: Diagnostic.Severity
        /// Index of the address it is about.
        package var address: Int
        package var message: String
        package var hint: String
    }

    package static func remarks(
        on addresses: [ListenAddress], isAuthenticating: Bool, hasToken: Bool, unsafeListen: Bool
    ) -> [Remark] {
        var remarks: [Remark] = []
        for (index, address) in addresses.enumerated() where !address.isLoopback && !(isAuthenticating && unsafeListen)
        {
            remarks.append(
                Remark(
                    severity: .error, address: index, message: "other machines can reach this address",
                    hint: "listen on loopback (\":\(address.port)\"), or set enable = true in [auth] and "
                        + "unsafe_listen = true in [server]"))
        }
        if addresses.isEmpty { return remarks }
        if isAuthenticating, !hasToken {
            remarks.append(
                Remark(
                    severity: .error, address: 0, message: "TCP callers need a token, and [auth] has none",
                    hint:
                        "put one into a file of its own (mode 0600) and set token_file = \"token\" in [auth], or give one out by 'menshen token create NAME' while menshen runs on its Unix socket"
                ))
        }
        if !isAuthenticating, let loopback = addresses.firstIndex(where: \.isLoopback) {
            remarks.append(
                Remark(
                    severity: .warning, address: loopback,
                    message: "[auth] enable is false: any local user can spend the key",
                    hint: "set enable = true and a token in [auth], or use the Unix socket"))
        }
        return remarks
    }
}
