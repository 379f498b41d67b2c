// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import SQLite

/// A row of `requests`, with the columns that tests ask about.
package struct RequestRow: Sendable {
    package let textID: String
    package let method: String?
    package let path: String?
    package let dialect: String?
    package let provider: String?
    package let model: String?
    package let isStream: Bool?
    package let status: Int?
    package let endState: String
    package let problem: String?
    package let tokenName: String?
    package let address: String?
    package let callerUID: Int?
    package let bytesIn: Int?
    package let bytesOut: Int?
    package let count: Int
    package let operation: String?
    package let usageState: String?
    package let inputTotal: Int?
    package let cacheRead: Int?
    package let outputTotal: Int?
    package let finishReason: String?
    package let endUser: String?
    package let answerModel: String?
    /// "provider status reason" of each try.
    package let attempts: [String]
    package let cache: String?
    /// `x-menshen-request-id` of the request whose answer it was.
    package let cacheSource: String?
    package let savedInput: Int?
    package let savedOutput: Int?
    /// "key model" of each try; "-" for the only key, and for the caller's model.
    package let asked: [String]

    private static let columns = """
        SELECT (SELECT request_id FROM request_log WHERE request_log.id = requests.id), method, path, dialect, provider,
            model, stream, status, end_state, problem, token_name, peer_address, caller_uid, bytes_in, bytes_out, count,
            (SELECT group_concat(provider || ' ' || coalesce(status, '-') || ' ' || reason, ',')
                FROM attempts WHERE request_id = requests.id),
            operation, usage_state, input_total, cache_read, output_total, finish_reason, end_user, answer_model,
            cache, (SELECT request_id FROM request_log WHERE request_log.id = requests.cache_source), saved_input,
            saved_output,
            (SELECT group_concat(coalesce(key_n, '-') || ' ' || coalesce(model, '-'), ',')
                FROM attempts WHERE request_id = requests.id)
        FROM requests ORDER BY id
        """

    package static func all(_ path: String) throws -> [RequestRow] {
        let statement = try Connection(path: path, .readOnly, busyMilliseconds: 5000).prepare(columns)
        var rows: [RequestRow] = []
        while try statement.step() { rows.append(RequestRow(statement)) }
        return rows
    }

    private init(_ row: Statement) {
        func integer(_ column: Int32) -> Int? { row.integer(column).map { Int($0) } }
        textID = row.text(0) ?? ""
        method = row.text(1)
        path = row.text(2)
        dialect = row.text(3)
        provider = row.text(4)
        model = row.text(5)
        isStream = integer(6).map { $0 != 0 }
        status = integer(7)
        endState = row.text(8) ?? ""
        problem = row.text(9)
        tokenName = row.text(10)
        address = row.text(11)
        callerUID = integer(12)
        bytesIn = integer(13)
        bytesOut = integer(14)
        count = integer(15) ?? 0
        operation = row.text(17)
        usageState = row.text(18)
        inputTotal = integer(19)
        cacheRead = integer(20)
        outputTotal = integer(21)
        finishReason = row.text(22)
        endUser = row.text(23)
        answerModel = row.text(24)
        cache = row.text(25)
        cacheSource = row.text(26)
        savedInput = integer(27)
        savedOutput = integer(28)
        asked = (row.text(29) ?? "").split(separator: ",").map(String.init)
        attempts = (row.text(16) ?? "").split(separator: ",").map(String.init)
    }
}
