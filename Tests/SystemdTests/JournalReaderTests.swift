// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import Systemd
import TestSupport
import Testing

@Suite(.enabled(if: JournalFiles.isPossible, "systemd-journal-remote is not installed"))
struct JournalReaderTests {
    private let directory: TemporaryDirectory
    private let files: JournalFiles

    init() throws {
        directory = try TemporaryDirectory()
        files = JournalFiles(directory.path("journal"))
    }

    private func entry(_ fields: (String, String)...) -> [UInt8] {
        var entry = JournalEntry()
        for (name, value) in fields { entry.append(name, value) }
        return entry.bytes
    }

    private func reader() throws -> JournalReader { try JournalReader(.directory(files.directory)) }

    @Test func `entries come oldest first, with every value of every field`() throws {
        let long = String(repeating: "x", count: 100_000)
        try files.add([entry(("MESSAGE", "one\ntwo"), ("A", "1"), ("A", "2=3")), entry(("MESSAGE", long))])
        let reader = try reader()
        let first = try #require(try reader.next())
        #expect(first["MESSAGE"] == ["one\ntwo"])
        #expect(first["A"]?.sorted() == ["1", "2=3"])
        #expect(first["_UID"] == ["\(geteuid())"])
        #expect(try reader.next()?["MESSAGE"] == [long])
        #expect(try reader.next() == nil)
    }

    @Test func `what does not match is left out`() throws {
        try files.add([entry(("A", "1"), ("B", "1"), ("N", "0")), entry(("A", "1"), ("B", "2"), ("N", "1"))])
        try files.add([entry(("A", "1"), ("B", "2"), ("N", "2"))], uid: 4711)
        try files.add([entry(("A", "2"), ("B", "2"), ("N", "3"))])
        let reader = try reader()
        for (name, value) in [("A", "1"), ("A", "2"), ("B", "2"), ("_UID", "\(geteuid())")] {
            try reader.match(name, value)
        }
        var found: [String] = []
        while let fields = try reader.next() { found += fields["N"] ?? [] }
        #expect(found == ["1", "3"])
    }

    @Test func `a cursor leads behind its entry, also when more and other files have come`() throws {
        try files.add((0..<5).map { entry(("N", "\($0)")) })
        let first = try reader()
        for _ in 0..<3 { _ = try first.next() }
        let cursor = try #require(first.cursor)
        try files.add((5..<7).map { entry(("N", "\($0)")) }, to: "rotated")
        let second = try reader()
        try second.seek(after: cursor)
        var found: [String] = []
        while let fields = try second.next() { found += fields["N"] ?? [] }
        #expect(found == ["3", "4", "5", "6"])
    }

    @Test func `behind the last entry there is nothing, until another comes`() throws {
        try files.add([entry(("N", "0"))])
        let first = try reader()
        _ = try first.next()
        let cursor = try #require(first.cursor)
        let second = try reader()
        try second.seek(after: cursor)
        #expect(try second.next() == nil)
        try files.add([entry(("N", "1"))])
        let third = try reader()
        try third.seek(after: cursor)
        #expect(try third.next()?["N"] == ["1"])
    }

    @Test func `a cursor that means nothing leads to the beginning`() throws {
        try files.add([entry(("N", "0"))])
        for cursor in ["", "x", "s=;i=zz"] {
            let reader = try reader()
            try reader.seek(after: cursor)
            #expect(try reader.next()?["N"] == ["0"])
        }
    }

    @Test func `without files there is nothing to read, and no directory is a fault`() throws {
        let empty = try reader()
        #expect(empty.isEmpty)
        #expect(try empty.next() == nil)
        try files.add([entry(("N", "0"))])
        #expect(try !reader().isEmpty)
        #expect(throws: SystemError.self) { try JournalReader(.directory("/nonexistent")) }
    }
}
