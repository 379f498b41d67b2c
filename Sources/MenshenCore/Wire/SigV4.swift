// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import HTTP

/// AWS Signature Version 4 for Bedrock: the signature is over method, path, query, some fields and the body's hash.
/// libcurl's own is not used because it signs neither escaped paths nor unsorted queries as AWS reads them (Decision 0011).
package struct SigV4: Sendable {
    /// No secret: it goes over the wire in each request.
    package var accessKeyID: String
    package var region: String
    /// Of temporary credentials.
    package var sessionToken: Secret?

    private static let service = "bedrock"
    private static let algorithm = "AWS4-HMAC-SHA256"
    private static let tokenField = "x-amz-security-token"

    package init(accessKeyID: String, region: String, sessionToken: Secret? = nil) {
        self.accessKeyID = accessKeyID
        self.region = region
        self.sessionToken = sessionToken
    }

    package struct Request {
        let method: String
        /// Path and query as they are sent.
        let target: ArraySlice<UInt8>
        let body: [UInt8]
        private(set) var fields: [(name: String, value: [UInt8])]

        package init(method: String, target: ArraySlice<UInt8>, host: String, body: [UInt8]) {
            self.method = method
            self.target = target
            self.body = body
            fields = [("host", Array(host.utf8))]
        }

        /// A further field that is signed; the name in lower case.
        package mutating func add(_ name: String, _ value: some Sequence<UInt8>) { fields.append((name, Array(value))) }
    }

    /// Values of the two fields that make a request a signed one.
    package struct Signature {
        /// X-Amz-Date.
        package let date: [UInt8]
        /// Authorization.
        package let authorization: [UInt8]
    }

    /// Whether a field, given in lower case, must be signed if it is sent.
    package static func covers(_ name: String) -> Bool { name == "content-type" || name.hasPrefix("x-amz-") }

    package func sign(_ request: Request, with secret: Secret, at epochSeconds: UInt64) -> Signature {
        let time = Self.timestamp(epochSeconds)
        let day = String(time.prefix(8))
        let scope = "\(day)/\(region)/\(Self.service)/aws4_request"
        var (canonical, names) = canonicalRequest(request, time)
        let digest = Digest(of: canonical)
        Self.erase(&canonical)
        let text = "\(Self.algorithm)\n\(time)\n\(scope)\n\(Hexadecimal.text(digest.rawValue))"
        var key = Self.key(secret, [day, region, Self.service, "aws4_request"])
        let signature = Hexadecimal.text(HMACSHA256.code(of: Array(text.utf8), key: key))
        Self.erase(&key)
        let value =
            "\(Self.algorithm) Credential=\(accessKeyID)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
        return Signature(date: Array(time.utf8), authorization: Array(value.utf8))
    }

    // MARK: Canonical form

    /// The text that is hashed, and the names of its fields. Holds the session token.
    private func canonicalRequest(_ request: Request, _ time: String) -> (text: [UInt8], names: String) {
        var fields: [(name: String, value: [UInt8])] = []
        var given = request.fields + [("x-amz-date", Array(time.utf8))]
        if sessionToken != nil { given.append((Self.tokenField, [])) }
        for field in given.sorted(by: { $0.name < $1.name }) {
            let value = Self.trimmed(field.value)
            if fields.last?.name == field.name {
                fields[fields.count - 1].value += [UInt8(ascii: ",")] + value
            } else {
                fields.append((field.name, value))
            }
        }
        let path = request.target.prefix { $0 != UInt8(ascii: "?") }
        // The token may be some KB; growing would leave copies of it behind.
        var text: [UInt8] = []
        text.reserveCapacity(64 << 10 + 4 * request.target.count)
        text += Array("\(request.method)\n".utf8) + Self.canonicalPath(path)
        text += Array("\n".utf8) + Self.canonicalQuery(request.target.dropFirst(path.count + 1)) + Array("\n".utf8)
        for field in fields {
            text += Array("\(field.name):".utf8) + field.value
            if field.name == Self.tokenField { sessionToken?.append(to: &text) }
            text.append(UInt8(ascii: "\n"))
        }
        let list = fields.map(\.name).joined(separator: ";")
        text += Array("\n\(list)\n\(Hexadecimal.text(Digest(of: request.body).rawValue))".utf8)
        return (text, list)
    }

    /// The path as it is sent, escaped once more, which only S3 does without; empty segments do not count.
    private static func canonicalPath(_ path: ArraySlice<UInt8>) -> [UInt8] {
        let slash = UInt8(ascii: "/")
        var output: [UInt8] = []
        for segment in path.split(separator: slash) {
            output += [slash] + PercentEncoding.escape(segment, keepingSlashes: false)
        }
        if output.isEmpty || path.last == slash { output.append(slash) }
        return output
    }

    private static func canonicalQuery(_ query: ArraySlice<UInt8>) -> [UInt8] {
        func escaped(_ part: ArraySlice<UInt8>) -> [UInt8] {
            let text = String(decoding: part, as: UTF8.self)
            return PercentEncoding.escape(PercentEncoding.decode(text[...]).utf8, keepingSlashes: false)
        }
        let pairs = query.split(separator: UInt8(ascii: "&")).map { pair in
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            return (name: escaped(name), value: escaped(pair.dropFirst(name.count + 1)))
        }
        let sorted = pairs.sorted {
            $0.name == $1.name
                ? $0.value.lexicographicallyPrecedes($1.value) : $0.name.lexicographicallyPrecedes($1.name)
        }
        return Array(sorted.map { $0.name + [UInt8(ascii: "=")] + $0.value }.joined(separator: [UInt8(ascii: "&")]))
    }

    /// Without space at both ends, and with one in place of several.
    private static func trimmed(_ value: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(value.count)
        for byte in value {
            if !ByteClass.isSpace(byte) {
                output.append(byte)
            } else if let last = output.last, last != 0x20 {
                output.append(0x20)
            }
        }
        if output.last == 0x20 { output.removeLast() }
        return output
    }

    // MARK: Key and time

    private static func key(_ secret: Secret, _ parts: [String]) -> [UInt8] {
        var key: [UInt8] = []
        // More than any secret access key has: growing would leave a copy behind.
        key.reserveCapacity(1 << 10)
        key += Array("AWS4".utf8)
        secret.append(to: &key)
        for part in parts {
            let next = HMACSHA256.code(of: Array(part.utf8), key: key)
            erase(&key)
            key = next
        }
        return key
    }

    private static func erase(_ bytes: inout [UInt8]) {
        // SAFETY: the memory is the array's own, during the call.
        unsafe bytes.withUnsafeMutableBytes { unsafe wipe($0) }
    }

    /// ISO 8601's basic form in UTC: "20261123T235337Z".
    static func timestamp(_ epochSeconds: UInt64) -> String {
        // The year 9999 ends here, far behind any clock that can be right.
        let seconds = Int(min(epochSeconds, 253_402_300_799))
        var day = seconds / 86_400
        var year = 1970
        func isLeap() -> Bool { year % 4 == 0 && year % 100 != 0 || year % 400 == 0 }
        while day >= (isLeap() ? 366 : 365) {
            day -= isLeap() ? 366 : 365
            year += 1
        }
        var month = 0
        let lengths = [31, isLeap() ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        while day >= lengths[month] {
            day -= lengths[month]
            month += 1
        }
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let time = two(seconds / 3600 % 24) + two(seconds / 60 % 60) + two(seconds % 60)
        return "\(year)" + two(month + 1) + two(day + 1) + "T" + time + "Z"
    }
}
