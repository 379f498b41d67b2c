// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import Testing

@Suite struct AccountsTests {
    @Test func `root is known by name and by number, and nobody by no name`() throws {
        let root = try #require(try Accounts.user("root"))
        #expect(root.uid == 0 && root.gid == 0 && root.name == "root" && root.groups.contains(0))
        #expect(try Accounts.user(0) == root)
        #expect(try Accounts.group("root") == 0)
        #expect(try Accounts.user("nobody-has-this-name") == nil)
        #expect(try Accounts.user(3_999_999_999) == nil)
        #expect(try Accounts.group("nobody-has-this-name") == nil)
    }
}
