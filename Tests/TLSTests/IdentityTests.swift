// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

@testable import TLS

/// A certificate of ours, for providers that ask for one.
struct IdentityTests {
    private let directory: TemporaryDirectory
    private let authority: TestAuthority
    private let ours: TestAuthority

    init() throws {
        directory = try TemporaryDirectory()
        authority = try TestAuthority()
        ours = try TestAuthority("Who signs ours")
        try authority.write(to: directory.path("ca.pem"))
        try ours.sign("DNS:us").write(certificate: directory.path("us.pem"), key: directory.path("us.key"))
    }

    private func client(_ certificate: String = "us.pem", _ key: String = "us.key") -> TLSClient {
        TLSClient(
            TLSFiles(
                authorities: directory.path("ca.pem"),
                identity: .init(certificate: directory.path(certificate), key: directory.path(key))))
    }

    /// What the channel has to say behind the handshake, where TLS 1.3 refuses.
    private func fault(_ client: TLSClient, wanting: TestAuthority, isTLS12: Bool) throws -> TLSFault? {
        let server = try TLSPeer(authority.sign("DNS:a.test"), isTLS12: isTLS12, wanting: wanting)
        let pair = try Pair(client, server)
        if let fault = pair.shake() { return fault }
        var buffer = [UInt8](repeating: 0, count: 100)
        let read = buffer.withUnsafeMutableBytes { buffer in
            server.records().withUnsafeBytes { pair.channel.read($0, into: buffer) }
        }
        if case .failed(let fault) = read { return fault }
        #expect(server.shownName == "/CN=server")
        return nil
    }

    @Test(arguments: [false, true]) func `who asks for it gets it`(isTLS12: Bool) throws {
        #expect(try fault(client(), wanting: ours, isTLS12: isTLS12) == nil)
    }

    @Test(arguments: [false, true]) func `who asks in vain, or wants another, is understood`(isTLS12: Bool) throws {
        let without = TLSClient(TLSFiles(authorities: directory.path("ca.pem")))
        let missing = try #require(try fault(without, wanting: ours, isTLS12: isTLS12))
        #expect(missing.isRefusal && missing.description.contains("set client_certificate_file and client_key_file"))
        let refused = try #require(try fault(client(), wanting: authority, isTLS12: isTLS12))
        #expect(refused.isRefusal && refused.description.contains("refuses the certificate of client_certificate_file"))
        #expect(refused.description.contains("unknown ca"), "\(refused)")
    }

    @Test func `nobody is shown it who does not ask`() throws {
        let server = try TLSPeer(authority.sign("DNS:a.test"))
        #expect(try Pair(client(), server).shake() == nil && server.shownName == nil)
    }

    @Test func `a connection that ends behind the question was ended for it, unless it has been accepted`() throws {
        let without = TLSClient(TLSFiles(authorities: directory.path("ca.pem")))
        let cases: [(TLSClient, TestAuthority?, String?)] = [
            (without, ours, "set client_certificate_file"),
            (client(), ours, "closed the connection on the certificate"),
            (without, nil, nil),
        ]
        for (client, wanting, words) in cases {
            let pair = try Pair(client, TLSPeer(authority.sign("DNS:a.test"), wanting: wanting))
            _ = pair.channel.handshake(UnsafeRawBufferPointer(start: nil, count: 0))
            pair.carryOut()
            guard case .done = pair.server.records().withUnsafeBytes({ pair.channel.handshake($0) }) else {
                throw TestFailure("no handshake")
            }
            let refusal = pair.channel.silentRefusal
            #expect(words.map { refusal?.description.contains($0) == true } ?? (refusal == nil), "\(refusal as Any)")
            pair.carryOut()
            guard pair.server.isUp else { continue }
            _ = pair.read(pair.server.records())
            #expect(pair.channel.silentRefusal == nil, "tickets have come")
        }
    }

    @Test(arguments: [
        ("none.pem", "us.key", "client_certificate_file", "cannot be used"),
        ("us.key", "us.key", "client_certificate_file", "cannot be used: no start line"),
        ("us.pem", "none.key", "client_key_file", "does not exist"),
        ("us.pem", "us.pem", "client_key_file", "mode 0644"),
        ("us.pem", "open.key", "client_key_file", "chmod 600"),
        ("us.pem", "empty.key", "client_key_file", "holds no private key"),
        ("us.pem", "other.key", "client_key_file", "does not hold the key of client_certificate_file"),
        ("us.pem", "secret.key", "client_key_file", "is encrypted"),
        ("old.pem", "old.key", "client_certificate_file", "has expired on 20"),
        ("early.pem", "early.key", "client_certificate_file", "is not valid before 20"),
    ])
    func `what is wrong with its files is said`(certificate: String, key: String, file: String, fault: String) throws {
        try ours.sign("DNS:other").write(key: directory.path("other.key"))
        try ours.sign("DNS:secret").write(key: directory.path("secret.key"), passphrase: "open sesame")
        try ours.sign("DNS:open").write(key: directory.path("open.key"))
        try directory.changeMode("open.key", 0o640)
        try directory.changeMode("us.pem", 0o644)
        try directory.write("empty.key", "")
        for (name, from, to) in [("old", -9, -2), ("early", 2, 9)] {
            try ours.sign("DNS:us", from: from, to: to)
                .write(certificate: directory.path("\(name).pem"), key: directory.path("\(name).key"))
        }
        let found = #expect(throws: TLSFault.self) { try client(certificate, key).check() }
        #expect(found?.description.hasPrefix(file) == true, "\(found as Any)")
        #expect(found?.description.contains(fault) == true, "\(found as Any)")
    }

    @Test func `certificate and key may stand in one file`() throws {
        try ours.sign("DNS:us").write(certificate: directory.path("c.pem"), key: directory.path("k.pem"))
        try directory.write(
            "both.pem", ["c.pem", "k.pem"].compactMap { TemporaryDirectory.read(directory.path($0)) }.joined())
        try client("both.pem", "both.pem").check()
    }
}
