// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Linux
import TestSupport
import Testing

@Suite struct RepositoryRootTests {
    private let scratch: TemporaryDirectory
    /// Without links in it.
    private let top: String

    init() throws {
        scratch = try TemporaryDirectory()
        top = try #require(RepositoryRoot.resolved(scratch.path))
    }

    private func directory(_ path: String) -> String {
        var made = top
        for part in path.split(separator: "/") {
            made += "/\(part)"
            mkdir(made, 0o700)
        }
        return made
    }

    private func root(_ directory: String, home: String? = nil, owner: UInt32 = geteuid()) -> String? {
        RepositoryRoot.find(from: directory, notBeyond: home, owner: owner)
    }

    @Test func `the nearest directory with a repository is its root, from wherever below`() throws {
        let deep = directory("code/outer/inner/src")
        #expect(root(deep) == nil)
        _ = directory("code/outer/.git")
        #expect(root(deep) == top + "/code/outer" && root(top + "/code/outer") == top + "/code/outer")
        // A further worktree, or part of another repository.
        _ = try scratch.write("code/outer/inner/.git", "gitdir: elsewhere")
        #expect(root(deep) == top + "/code/outer/inner")
    }

    @Test func `nobody looks beyond the home directory`() {
        let deep = directory("home/project/src")
        _ = directory(".git")
        #expect(root(deep) == top)
        #expect(root(deep, home: top + "/home") == nil)
        #expect(root(deep, home: top + "/home/other") == top)
        _ = directory("home/.git")
        #expect(root(deep, home: top + "/home") == top + "/home")
    }

    @Test(.enabled(if: OtherUser.isPossible))
    func `a repository of somebody else's is none`() {
        let deep = directory("shared/src")
        let git = directory("shared/.git")
        chown(git, OtherUser.uid, OtherUser.uid)
        #expect(root(deep) == nil && root(deep, owner: OtherUser.uid) == top + "/shared")
    }

    @Test func `what is no directory of a repository is none`() throws {
        let deep = directory("a/b")
        symlink(directory("elsewhere"), top + "/a/.git")
        #expect(root(deep) == nil)
        let file = try scratch.write("file", "")
        for path in [file, top + "/gone", top + "/a/b (deleted)", "", "relative", "/", "/proc/self/fd"] {
            #expect(root(path) == nil, "\(path)")
        }
        #expect(root("/" + String(repeating: "x/", count: 3000)) == nil)
    }
}
