// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Linux
import TestSupport
import Testing

@Suite struct PrivateFileTests {
    let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory() }

    @Test func `a file of mode 0600 is read with its identity`() throws {
        let path = try scratch.write("key", "sk-test\n")
        let file = try PrivateFile.read(path)
        #expect(String(decoding: file.bytes, as: UTF8.self) == "sk-test\n")
        #expect(PrivateFile.identity(of: path) == file.identity)
    }

    @Test(arguments: [0o640, 0o604, 0o620, 0o660, 0o644, 0o601] as [mode_t])
    func `a file that others may touch is refused with the command that mends it`(mode: mode_t) throws {
        let path = try scratch.write("key", "sk-test", mode: mode)
        let error = #expect(throws: PrivateFileError.self) { try PrivateFile.read(path) }
        #expect(error == .openToOthers(path: path, mode: UInt32(mode), allowGroup: false))
        #expect(error?.description.hasSuffix("run: chmod 600 \(path)") == true)
        #expect(error?.description.contains("mode 0\(String(mode, radix: 8))") == true)
    }

    @Test func `a credential may be readable by a group but by nobody else`() throws {
        let path = try scratch.write("key", "sk-test", mode: 0o440)
        #expect(try PrivateFile.read(path, allowGroup: true).bytes.count == 7)
        chmod(path, 0o444)
        #expect(throws: PrivateFileError.openToOthers(path: path, mode: 0o444, allowGroup: true)) {
            try PrivateFile.read(path, allowGroup: true)
        }
        chmod(path, 0o460)
        #expect(throws: PrivateFileError.self) { try PrivateFile.read(path, allowGroup: true) }
    }

    @Test func `links of our own are followed, also relative ones in a row`() throws {
        let path = try scratch.write("key", "sk-test")
        symlink("key", scratch.path + "/one")
        symlink(scratch.path + "/one", scratch.path + "/two")
        let file = try PrivateFile.read(scratch.path + "/two")
        #expect(file.identity == PrivateFile.identity(of: path))
        #expect(file.identity == PrivateFile.identity(of: scratch.path + "/two"))
    }

    @Test(.enabled(if: OtherUser.isPossible))
    func `a link made by another user is refused`() throws {
        _ = try scratch.write("key", "sk-test")
        let link = scratch.path + "/link"
        symlink("key", link)
        try #require(lchown(link, OtherUser.uid, OtherUser.uid) == 0)
        #expect(throws: PrivateFileError.foreignLink(path: link, uid: OtherUser.uid)) { try PrivateFile.read(link) }
    }

    @Test(.enabled(if: OtherUser.isPossible))
    func `another user's file is refused, also behind a link of our own`() throws {
        let path = try scratch.write("key", "sk-test")
        try #require(chown(path, OtherUser.uid, OtherUser.uid) == 0)
        symlink("key", scratch.path + "/link")
        let error = #expect(throws: PrivateFileError.self) { try PrivateFile.read(path) }
        #expect(error?.description.hasSuffix("chown \(geteuid()) \(path)") == true)
        #expect(throws: PrivateFileError.foreignOwner(path: scratch.path + "/link", uid: OtherUser.uid)) {
            try PrivateFile.read(scratch.path + "/link")
        }
    }

    @Test func `links that go round in a circle end`() throws {
        symlink("b", scratch.path + "/a")
        symlink("a", scratch.path + "/b")
        let path = scratch.path + "/a"
        #expect(throws: PrivateFileError.system(SystemError("open", code: ELOOP, subject: path))) {
            try PrivateFile.read(path)
        }
    }

    @Test func `a directory and a FIFO are refused at once`() throws {
        #expect(throws: PrivateFileError.notARegularFile(path: scratch.path)) { try PrivateFile.read(scratch.path) }
        let fifo = scratch.path + "/fifo"
        mkfifo(fifo, 0o600)
        #expect(throws: PrivateFileError.notARegularFile(path: fifo)) { try PrivateFile.read(fifo) }
    }

    @Test func `64 KiB are read and a byte more is refused`() throws {
        let path = try scratch.write("key", String(repeating: "k", count: PrivateFile.limit))
        #expect(try PrivateFile.read(path).bytes.count == PrivateFile.limit)
        let large = try scratch.write("large", String(repeating: "k", count: PrivateFile.limit + 1))
        #expect(throws: PrivateFileError.tooLarge(path: large, size: Int64(PrivateFile.limit) + 1)) {
            try PrivateFile.read(large)
        }
    }

    @Test func `a missing file is named`() {
        let path = scratch.path + "/none"
        #expect(throws: PrivateFileError.missing(path: path)) { try PrivateFile.read(path) }
        #expect(PrivateFile.identity(of: path) == nil)
    }

    @Test func `the identity changes when the file is replaced by one of the same size`() throws {
        let path = try scratch.write("key", "sk-old")
        let before = PrivateFile.identity(of: path)
        rename(try scratch.write("next", "sk-new"), path)
        #expect(before != nil && PrivateFile.identity(of: path) != before)
    }
}
