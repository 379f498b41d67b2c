// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Testing

/// A directory of its own for one test, 0700, removed with everything in it.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/menshen-test.XXXXXX".utf8CString)
        _ = try #require(mkdtemp(&template))
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.removeAll(path) }

    private static func removeAll(_ path: String) {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { removeAll("\(path)/\(name)") }
            }
            closedir(directory)
        }
        remove(path)
    }

    func file(_ name: String, _ text: String = "", mode: mode_t = 0o600) throws -> String {
        let file = "\(path)/\(name)"
        let stream = try #require(fopen(file, "w"))
        fputs(text, stream)
        fclose(stream)
        try #require(chmod(file, mode) == 0)
        return file
    }
}

/// A user that is not us. Only root can give files to somebody else.
enum OtherUser {
    static let uid: UInt32 = 65533
    static var isPossible: Bool { geteuid() == 0 }
}
