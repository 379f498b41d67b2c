// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import TestSupport
import Testing

@testable import MenshenStore

/// Where a journal is kept is told by the directories that journald makes.
@Suite struct JournalPlaceTests {
    private static let id = "0123456789abcdef0123456789abcdef"
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory() }

    private func make(_ directories: String...) {
        for directory in directories {
            var path = scratch.path
            for part in directory.split(separator: "/") {
                path += "/\(part)"
                mkdir(path, 0o755)
            }
        }
    }

    private func write(_ name: String, _ text: String) throws {
        let file = try #require(fopen(scratch.path + name, "w"))
        fputs(text, file)
        fclose(file)
    }

    private var keeping: JournalKeeping { JournalKeeping.look(socket: scratch.path + "/socket", below: scratch.path) }

    @Test func `none, nowhere, in memory, on the disk`() throws {
        #expect(keeping == .absent)
        try write("/socket", "")
        #expect(keeping == .nowhere)
        make("etc", "run/log/journal", "var/log/journal")
        try write("/etc/machine-id", "\(Self.id)\n")
        #expect(keeping == .nowhere)
        make("var/log/journal/\(Self.id)")
        #expect(keeping == .persistent)
        // Before journald writes to the disk, and with Storage=volatile on a disk where it once did.
        make("run/log/journal/\(Self.id)")
        #expect(keeping == .volatile)
    }
}
