// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import SQLite

/// Numbers in place of the texts of dimensions. Those of the roll-ups' file have their number there; others get one for as
/// long as this object lives. 0 is no text at all. Belongs to one thread.
final class Names {
    typealias Number = UInt32
    static let none: Number = 0
    /// From here on numbers are of this object alone.
    private static let temporary: Number = 1 << 31

    private let find: Statement?
    private let look: Statement?
    private var numbers: [String: Number] = [:]
    private var texts: [Number: String] = [:]
    private var next = temporary

    /// Without a file all numbers are temporary.
    init(_ connection: Connection?) throws(SQLiteError) {
        find = try connection?.prepare("SELECT id FROM names WHERE text = ?1")
        look = try connection?.prepare("SELECT text FROM names WHERE id = ?1")
    }

    func number(_ text: String) throws(SQLiteError) -> Number {
        if let number = numbers[text] { return number }
        var number: Number?
        if let find {
            try find.bind(1, text)
            if try find.step() { number = find.integer(0).flatMap(Self.inFile) }
            find.reset()
        }
        let found = number ?? next
        if number == nil { next += 1 }
        numbers[text] = found
        texts[found] = text
        return found
    }

    func text(_ number: Number) throws(SQLiteError) -> String? {
        if number == Self.none { return nil }
        if let text = texts[number] { return text }
        guard let look else { return nil }
        try look.bind(1, Int64(number))
        defer { look.reset() }
        guard try look.step(), let text = look.text(0) else { return nil }
        texts[number] = text
        return text
    }

    /// A number as the file gives them out; nil: it was altered.
    private static func inFile(_ id: Int64) -> Number? {
        Number(exactly: id).flatMap { $0 == none || isTemporary($0) ? nil : $0 }
    }

    /// Those that the file does not have yet, for a segment that goes into it.
    static func isTemporary(_ number: Number) -> Bool { number >= temporary }

    /// The file has it now.
    func adopt(_ number: Number, for text: String) {
        numbers[text] = number
        texts[number] = text
    }
}
