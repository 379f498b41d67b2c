// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import Testing

/// A parsed head with the given lines; Host is there already.
func wireHead(_ lines: String..., method: String = "POST", host: String = "h") throws -> RequestHead {
    try wireHead(lines, method: method, host: host)
}

func wireHead(_ lines: [String], method: String = "POST", host: String = "h") throws -> RequestHead {
    let text = "\(method) / HTTP/1.1\r\nHost: \(host)\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    var parser = RequestParser()
    let bytes = Array(text.utf8)
    guard case .head(let head, _) = try parser.parse(bytes.span, limit: 1 << 20) else {
        throw WireIncomplete()
    }
    return head
}

struct WireIncomplete: Error {}
