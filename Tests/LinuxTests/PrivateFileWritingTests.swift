// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Linux
import TestSupport
import Testing

@Suite struct PrivateFileWritingTests {
    let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory() }

    private func text(_ path: String) throws -> String {
        String(decoding: try PrivateFile.read(path).bytes, as: UTF8.self)
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test func `a new file is private, and an open one becomes so`() throws {
        let path = scratch.path + "/key"
        try PrivateFile.write(path, Array("one".utf8))
        #expect(try text(path) == "one" && mode(path) == 0o600)
        chmod(path, 0o644)
        let before = PrivateFile.identity(of: path)
        try PrivateFile.write(path, Array("two".utf8))
        #expect(try text(path) == "two" && mode(path) == 0o600)
        // Another file in its place: who reads the old one reads it whole.
        #expect(PrivateFile.identity(of: path)?.inode != before?.inode)
    }

    @Test func `a link is followed and stays`() throws {
        let path = try scratch.write("key", "old")
        symlink("key", scratch.path + "/one")
        symlink(scratch.path + "/one", scratch.path + "/two")
        try PrivateFile.write(scratch.path + "/two", Array("new".utf8))
        #expect(try text(path) == "new")
        #expect(throws: PrivateFileError.notARegularFile(path: scratch.path + "/two")) {
            try PrivateFile.remove(scratch.path + "/two")
        }
        try PrivateFile.remove(path)
        #expect(throws: PrivateFileError.missing(path: path)) { try PrivateFile.remove(path) }
    }

    @Test func `what is no file is left alone`() throws {
        mkdir(scratch.path + "/directory", 0o700)
        #expect(throws: PrivateFileError.notARegularFile(path: scratch.path + "/directory")) {
            try PrivateFile.write(scratch.path + "/directory", [1])
        }
        symlink("loop", scratch.path + "/loop")
        #expect(throws: PrivateFileError.system(SystemError("open", code: ELOOP, subject: scratch.path + "/loop"))) {
            try PrivateFile.write(scratch.path + "/loop", [1])
        }
    }

    @Test func `what fails leaves the old file and nothing beside it`() throws {
        let path = try scratch.write("key", "old")
        let hasChanged = try PrivateFile.replace(path) { new throws(PrivateFileError) in
            symlink("x", new)
            return false
        }
        #expect(!hasChanged)
        #expect(throws: PrivateFileError.self) {
            try PrivateFile.replace(path) { _ throws(PrivateFileError) in throw .missing(path: "that") }
        }
        #expect(throws: PrivateFileError.self) { try PrivateFile.write(scratch.path + "/none/key", [1]) }
        let isAlone = mode("\(path).new-\(getpid())") == 0
        #expect(try text(path) == "old" && isAlone)
    }

    @Test func `a program gets its input, and its end is told`() throws {
        #expect(try Program.run(["sh", "-c", "test \"$(cat)\" = secret"], input: Array("secret".utf8)) == 0)
        #expect(try Program.run(["sh", "-c", "exit 7"], input: [1]) == 7)
        #expect(try Program.run(["sh", "-c", "kill -9 $$"], input: []) == 137)
        #expect(throws: SystemError("start", code: ENOENT, subject: "no-such-program-of-menshen")) {
            try Program.run(["no-such-program-of-menshen"], input: [])
        }
    }
}
