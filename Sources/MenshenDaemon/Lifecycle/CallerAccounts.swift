// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore

/// Finds the users and groups that `[[callers]]` name, and rules that can never match.
enum CallerAccounts {
    static func resolve(_ decoded: inout DecodedConfiguration, _ path: String) {
        guard var rules = decoded.configuration?.callers, !rules.isEmpty else { return }
        var faults: [Diagnostic] = []
        for index in rules.indices {
            resolve(&rules[index].users, "user", path, &faults) { name throws(SystemError) in
                try Accounts.user(name)?.uid
            }
            resolve(&rules[index].groups, "group", path, &faults) { name throws(SystemError) in
                try Accounts.group(name)
            }
        }
        decoded.diagnostics += faults
        decoded.configuration?.callers = rules
        if !faults.isEmpty { decoded.configuration = nil }
        for (rule, other) in CallerRule.unreachable(rules) {
            decoded.diagnostics.append(
                Diagnostic(
                    .warning, file: path, line: rules[rule].line, column: 1,
                    message:
                        "this rule of [[callers]] can never match: the one on line \(rules[other].line) matches everybody that it does",
                    hint: "put it before the other, or remove one of them"))
        }
    }

    private static func resolve(
        _ accounts: inout [CallerRule.Account], _ kind: String, _ path: String, _ faults: inout [Diagnostic],
        _ find: (String) throws(SystemError) -> UInt32?
    ) {
        for index in accounts.indices where accounts[index].id == nil {
            let account = accounts[index]
            var reason = "this machine knows no such \(kind)"
            do throws(SystemError) {
                accounts[index].id = try find(account.text)
            } catch {
                reason = "it cannot be looked up: \(error)"
            }
            if accounts[index].id != nil { continue }
            faults.append(
                Diagnostic(
                    .error, file: path, line: account.line, column: account.column,
                    message: "callers[].\(kind): \(reason)",
                    hint: "'getent \(kind == "user" ? "passwd" : kind)' lists them; a number will do as well"))
        }
    }
}
