// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Testing

/// What the release binary is made of. `.ci/run` and `contrib/test all` build it first and name it in
/// MENSHEN_RELEASE_BINARY, so there these tests always judge; elsewhere they judge .build/release/menshen if there is one.
@Suite struct Binary {
    /// nil only outside CI, before the first release build.
    private static let path: String? = {
        if let named = getenv("MENSHEN_RELEASE_BINARY").map({ String(cString: $0) }), !named.isEmpty { return named }
        return Repository.exists(".build/release/menshen") ? "\(Repository.root)/.build/release/menshen" : nil
    }()

    @Test(.enabled(if: path != nil, "no release binary; .ci/run builds one and names it"))
    func `it has at most 25 MB when stripped`() throws {
        let path = try #require(Self.path)
        let copy = "/tmp/menshen-stripped.\(getpid())"
        defer { unlink(copy) }
        _ = try output("strip -o '\(copy)' '\(path)'")
        var status = stat()
        try #require(stat(copy, &status) == 0)
        #expect(status.st_size > 1_000_000)
        #expect(status.st_size <= 25_000_000, "\(status.st_size) bytes")
    }

    @Test(.enabled(if: path != nil, "no release binary; .ci/run builds one and names it"))
    func `it needs no library of Swift, Foundation or ICU`() throws {
        let libraries = try output("ldd '\(try #require(Self.path))'")
        // The four it is made with, so that an empty answer is no proof.
        for wanted in ["libcurl", "libsqlite3", "libcrypto", "libsystemd"] {
            #expect(libraries.contains(wanted), "\(wanted)")
        }
        for forbidden in ["libswift", "libFoundation", "lib_Foundation", "libicu"] {
            #expect(!libraries.contains(forbidden), "\(forbidden): build with --static-swift-stdlib")
        }
    }

    @Test(.enabled(if: path != nil, "no release binary; .ci/run builds one and names it"))
    func `neither ICU nor full Foundation is linked into it`() throws {
        let symbols = try output("nm '\(try #require(Self.path))'")
        #expect(symbols.contains(" T main"))
        for forbidden in ["ucal_open", "udat_open", "icudt", "$s10Foundation13DateFormatter"] {
            #expect(!symbols.contains(forbidden), "\(forbidden)")
        }
    }

    /// What a command prints; it must succeed.
    private func output(_ command: String) throws -> String {
        let pipe = try #require(popen(command, "r"))
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { text += buffer[..<count] }
        try #require(pclose(pipe) == 0, "\(command)")
        return String(decoding: text, as: UTF8.self)
    }
}
