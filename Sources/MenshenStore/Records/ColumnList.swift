// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What the database, the journal and the manual know of a column, but for its values.
struct Column: Sendable {
    /// In which of a request's journal entries the value stands.
    enum Field: Sendable {
        case every(StaticString)
        /// Only in one that is the only record of the request: what is long, and nothing that a bill needs.
        case alone(StaticString)
    }

    /// Part of the manual that explains it.
    enum Section: Sendable { case row, usage }

    let name: StaticString
    let field: Field?
    let section: Section
    /// No row is without it.
    let isRequired: Bool
    /// As the manual says it; nil: the words of the column before it are about this one as well.
    let meaning: StaticString?

    @inline(__always)
    init(
        _ name: StaticString, required isRequired: Bool = false, journal field: Field? = nil,
        in section: Section = .row, _ meaning: StaticString? = nil
    ) {
        self.name = name
        self.field = field
        self.section = section
        self.isRequired = isRequired
        self.meaning = meaning
    }
}

/// Is led through a list of columns. The function that is called says which type a value has in the database, and which form
/// in the journal.
protocol ColumnVisitor {
    associatedtype Failure: Error

    mutating func integer(_ column: Column, _ value: @autoclosure () -> Int64?) throws(Failure)
    mutating func real(_ column: Column, _ value: @autoclosure () -> Double?) throws(Failure)
    mutating func text(_ column: Column, _ value: @autoclosure () -> String?) throws(Failure)
    /// A number in the database, the text that callers see in the journal.
    mutating func request(_ column: Column, _ value: @autoclosure () -> RequestID?) throws(Failure)
    /// A JSON object in the database, one value each in the journal.
    mutating func counts(_ column: Column, _ value: @autoclosure () -> [Usage.Extra]?) throws(Failure)
    /// The table's default, but in summary rows.
    mutating func summary(_ column: Column) throws(Failure)
}

/// The columns of a table. Functions and no array, because a visitor that is known when it is compiled, as the writer of rows
/// is, leaves nothing of them but the calls that bind the values.
protocol ColumnList {
    associatedtype Row
    /// A row to visit where only the columns count.
    static var blank: Row { get }
    /// The columns as values, in their order.
    static var columns: [ColumnInfo] { get }
    /// Those whose values are known when a request's answer begins.
    static func visitBeginning<Visitor: ColumnVisitor>(_ list: inout Visitor, _ row: Row) throws(Visitor.Failure)
    /// Those that only the end knows.
    static func visitEnd<Visitor: ColumnVisitor>(_ list: inout Visitor, _ row: Row) throws(Visitor.Failure)
}
