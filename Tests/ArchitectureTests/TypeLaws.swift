// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

/// How large a type or a function of the sources may become, in however many files it is written.
@Suite struct TypeLaws {
    private static let program = Result { try SwiftProgram(Repository.files(below: "Sources", ending: [".swift"])) }

    @Test func `there is something to judge`() throws {
        let program = try Self.program.get()
        #expect(program.types.count > 200)
        #expect(program.functions.count > 1000)
    }

    @Test func `a type has at most 20 stored properties, all its extensions counted`() throws {
        let sizes = try Self.program.get().types.map { Size($0.name, $0.properties.count, $0.place) }
        #expect(SizeLaw.properties.faults(sizes) == [])
    }

    @Test func `a type has at most 600 lines, all its extensions counted`() throws {
        let sizes = try Self.program.get().types.map { Size($0.name, $0.lines, $0.place) }
        #expect(SizeLaw.lines.faults(sizes) == [])
    }

    @Test func `a function has at most 70 lines`() throws {
        let sizes = try Self.program.get().functions.map { Size($0.name, $0.lines, $0.place) }
        #expect(SizeLaw.functionLines.faults(sizes) == [])
    }

    @Test func `what is larger needs an exception, and an exception needs something larger`() {
        let sizes = [Size("A.Large", 21, "a:1"), Size("A.Small", 20, "a:2"), Size("A.Huge", 90, "a:3")]
        let exceptions = ["A.Huge", "A.Small", "A.Gone"].map {
            SizeLaw.Exception(name: $0, law: .properties, reason: "so")
        }
        let others = [SizeLaw.Exception(name: "A.Large", law: .lines, reason: "so")]
        #expect(
            SizeLaw.properties.faults(sizes, exceptions + others) == [
                "A.Large has 21 stored properties: a:1", "A.Small is an exception that is no longer needed",
                "A.Gone is an exception that is no longer needed",
            ])
    }
}
