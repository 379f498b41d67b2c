// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// Where `menshen key` says what it has done to a key's file, so that it is recorded.
extension AdminPage {
    static let keys = AdminPage(
        "/_menshen/admin/keys", access: .administrators,
        [
            // Of whose keys it can be told.
            Action(.get) { caller, _ in
                var names = Array(#"{"providers":"#.utf8)
                names.append(json: caller.configuredProviders)
                caller.answer(page: answer(names + Array("}\n".utf8)))
            },
            Action(.post, bodyLimit: 4 << 10) { (caller, body) throws(Problem) in
                try caller.record(try KeyAct(body, providers: caller.configuredProviders)) {
                    answer(Array("{\"recorded\":true}\n".utf8))
                }
            },
        ])

    private static func answer(_ body: [UInt8]) -> LocalAnswer {
        LocalAnswer(
            status: 200, fields: [("Content-Type", "application/json"), ("Cache-Control", "no-store")], body: body)
    }
}
