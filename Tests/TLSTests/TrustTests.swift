// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

@testable import TLS

/// Lists of certificates that their authorities have revoked.
struct TrustTests {
    private let directory: TemporaryDirectory
    private let authority: TestAuthority

    init() throws {
        directory = try TemporaryDirectory()
        authority = try TestAuthority()
        try authority.write(to: directory.path("ca.pem"))
    }

    private func fault(_ identity: TestAuthority.Identity) throws -> String? {
        let files = TLSFiles(authorities: directory.path("ca.pem"), revocations: directory.path("crl.pem"))
        return try Pair(TLSClient(files), TLSPeer(identity)).shake()?.description
    }

    @Test func `a certificate on the list is refused, and others are not`() throws {
        let (good, bad) = (try authority.sign("DNS:a.test"), try authority.sign("DNS:a.test"))
        try authority.write(revoked: [bad], to: directory.path("crl.pem"))
        #expect(try fault(good) == nil)
        let fault = try #require(try fault(bad))
        #expect(fault.contains("is revoked by its issuer /CN=menshen's test authority"), "\(fault)")
    }

    @Test(arguments: [(-9, -2, "has expired on 20"), (2, 9, "is not valid before 20")])
    func `a list out of its time is none`(from: Int, until: Int, fault: String) throws {
        try authority.write(revoked: [], to: directory.path("crl.pem"), from: from, until: until)
        let found = try #require(try self.fault(authority.sign("DNS:a.test")))
        #expect(found.hasPrefix("the CRL of /CN=menshen's test authority in crl_file \(fault)"), "\(found)")
    }

    @Test func `a list of somebody else's says nothing of a certificate`() throws {
        try TestAuthority("Somebody else").write(revoked: [], to: directory.path("crl.pem"))
        let found = try #require(try fault(authority.sign("DNS:a.test")))
        #expect(found.hasPrefix("crl_file holds no CRL of /CN=menshen's test authority"), "\(found)")
    }

    @Test(arguments: ["none.pem", "ca.pem"]) func `a file without a list is a fault`(name: String) throws {
        let files = TLSFiles(authorities: directory.path("ca.pem"), revocations: directory.path(name))
        let found = #expect(throws: TLSFault.self) { try TLSClient(files).check() }
        #expect(found?.description.contains("\(name) holds no CRL") == true, "\(found as Any)")
    }
}
