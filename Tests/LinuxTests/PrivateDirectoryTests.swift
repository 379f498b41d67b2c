// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Linux
import TestSupport
import Testing

@Suite struct PrivateDirectoryTests {
    let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory() }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        lstat(path, &status)
        return status.st_mode & 0o7777
    }

    @Test func `missing parents are made with mode 0700`() throws {
        let path = scratch.path + "/a/b/c"
        try PrivateDirectory.ensure(path)
        for part in ["/a", "/a/b", "/a/b/c"] { #expect(mode(scratch.path + part) == 0o700) }
        try PrivateDirectory.ensure(path + "/")
    }

    @Test func `an existing directory that is open is refused and left as it is`() throws {
        let path = scratch.path + "/open"
        mkdir(path, 0o700)
        chmod(path, 0o755)
        let error = #expect(throws: PrivateDirectoryError.openToOthers(path: path, mode: 0o755)) {
            try PrivateDirectory.ensure(path)
        }
        #expect(error?.description.contains("chmod 700 \(path)") == true)
        #expect(mode(path) == 0o755)
    }

    @Test func `a file in its place is refused`() throws {
        let path = try scratch.write("file", "")
        #expect(throws: PrivateDirectoryError.notADirectory(path: path)) { try PrivateDirectory.ensure(path) }
        #expect(throws: PrivateDirectoryError.system(SystemError("mkdir", code: ENOTDIR, subject: path + "/below"))) {
            try PrivateDirectory.ensure(path + "/below")
        }
    }

    @Test func `a link of our own to a private directory is accepted`() throws {
        try PrivateDirectory.ensure(scratch.path + "/real")
        symlink("real", scratch.path + "/link")
        try PrivateDirectory.ensure(scratch.path + "/link")
    }

    @Test(.enabled(if: OtherUser.isPossible))
    func `another user's directory or link is refused`() throws {
        let path = scratch.path + "/theirs"
        mkdir(path, 0o700)
        chown(path, OtherUser.uid, OtherUser.uid)
        #expect(throws: PrivateDirectoryError.foreignOwner(path: path, uid: OtherUser.uid)) {
            try PrivateDirectory.ensure(path)
        }
        let link = scratch.path + "/link"
        symlink(scratch.path, link)
        lchown(link, OtherUser.uid, OtherUser.uid)
        #expect(throws: PrivateDirectoryError.foreignLink(path: link, uid: OtherUser.uid)) {
            try PrivateDirectory.ensure(link)
        }
    }

    @Test(arguments: [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("/a//b//", "/a"), ("/", "/"), ("a/b", "a")])
    func `the parent of a path is found`(path: String, parent: String) {
        #expect(PrivateDirectory.parent(of: path) == parent)
    }
}
