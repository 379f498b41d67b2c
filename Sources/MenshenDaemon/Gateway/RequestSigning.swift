// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream

extension Exchange {
    /// Bodies to be signed are read whole up to this size. InvokeModel takes 25,000,000 bytes.
    static let signedBodyLimit = 32 << 20

    static func unsignableProblem(_ provider: String) -> Problem {
        Problem(
            .requestTooLarge, status: 413,
            "Provider '\(provider)' wants its requests signed over the whole body, which may have 32 MiB then.")
    }

    /// Adds the fields of AWS's signature. The others have been added; `target` ends with a zero byte.
    func sign(
        _ transfer: Transfer, _ provider: Provider, _ signing: SigV4, _ secret: Secret, _ target: [UInt8],
        _ body: [UInt8]
    ) {
        var request = SigV4.Request(
            method: head.method.rawValue, target: target.dropLast(), host: provider.baseURL.hostField, body: body)
        let rules = HeaderRules(for: head, replaced: Set(provider.headers.map { $0.name.lowercased() }))
        for field in head.fields where rules.forwards(field, of: head) {
            let name = head.text(field.name).lowercased()
            if SigV4.covers(name) { request.add(name, head.bytes[field.value]) }
        }
        for header in provider.headers where SigV4.covers(header.name.lowercased()) {
            var value: [UInt8] = []
            header.value.append(to: &value)
            request.add(header.name.lowercased(), value)
        }
        let signature = signing.sign(request, with: secret, at: Clock.wall() / 1_000_000)
        signature.date.withUnsafeBytes { transfer.headers.addHeader("X-Amz-Date: ", $0) }
        if let token = signing.sessionToken { transfer.headers.addHeader("X-Amz-Security-Token: ", token) }
        signature.authorization.withUnsafeBytes { transfer.headers.addHeader("Authorization: ", $0) }
    }
}
