// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Where the answers of one kind say what, and how their streams begin and end. Each stands in its provider's file.
package final class AnswerFormat: Sendable {
    enum Field: Sendable {
        case type, id, model, serviceTier, finishReason, usage, sequenceNumber, status
        /// The usage that a stream begins with, if it reports twice.
        case firstUsage
        /// Usage in a place of somebody's own, which counts if there is no other.
        case sideUsage
        /// One of several answers in one, and its number.
        case choice, choiceIndex
        /// Why no answer is given at all.
        case blockReason
        case error, errorType, errorCode
        /// Why an answer is incomplete, where that is not the reason it ended for.
        case incompleteReason
        /// One answer of a JSON array of them, and the array.
        case element, list
    }

    /// What the events of a stream mean. Types are those that events name themselves, or their frames.
    struct Stream: Sendable {
        /// It says itself that it is complete.
        var hasMarker = false
        /// Its marker is "[DONE]".
        var endsByDone = false
        /// A reason to end for each choice makes up for a marker that did not come.
        var endsByReason = false
        /// The count in `sideUsage` comes with the last event.
        var endsBySideUsage = false
        /// Types of events that come before it is known whether there will be an answer.
        var preamble: [String] = []
        /// Types of events after which nothing comes that matters, and what such types end with.
        var last: [String] = []
        var lastSuffix: String?
        /// The type of the event that completes the answer while its usage is still to come, in one of `last`.
        var end: String?
        /// Types of events that are errors.
        var errors: [String] = []
        /// A member with an error makes one, whatever the type.
        var failsByMember = false
        /// More may follow an error.
        var goesOnAfterError = false
        /// Reasons that end with it stand for none.
        var emptyReason: String?
        /// Each event stands in base64 within another.
        var isWrapped = false
    }

    let stream: Stream
    let usage: UsageTable
    let sideUsage: UsageTable
    let paths: JSONPaths
    let fields: [Field]
    /// Says nothing of itself; only whether it is whole is read.
    let isBare: Bool
    /// The event that tells a caller in the words of the API why the stream breaks off, without the line ends behind it.
    let closing: @Sendable (Problem, AnswerObserver) -> [UInt8]?

    init(
        _ usage: UsageTable, _ stream: Stream, _ rows: KeyValuePairs<StaticString, Field>,
        _ more: KeyValuePairs<StaticString, Field> = [:], sideUsage: UsageTable? = nil,
        closing: @escaping @Sendable (Problem, AnswerObserver) -> [UInt8]? = { _, _ in nil }
    ) {
        self.stream = stream
        self.usage = usage
        self.sideUsage = sideUsage ?? usage
        paths = JSONPaths(rows.map(\.key) + more.map(\.key))
        fields = rows.map(\.value) + more.map(\.value)
        isBare = fields.isEmpty
        self.closing = closing
    }

    static func of(_ operation: Operation) -> AnswerFormat {
        for api in Dialect.list { if let format = api.answers(operation) { return format } }
        return bare
    }

    /// Of what is stored, listed or only counted.
    private static let bare = AnswerFormat(UsageTable([:]) { _, _ in }, Stream(), [:])
}
