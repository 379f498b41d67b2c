// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// What one API wants, and what its answers say: everything that menshen knows of it. Each API is one file in this folder and
/// one line in `Dialect.list`. What an API leaves out is as the defaults below have it, most of which are OpenAI's ways.
package protocol ProviderAPI: SendableMetatype {
    /// What the configuration calls it as a `kind` and the records as a dialect, and what a provider without a name is called.
    static var name: String { get }

    // MARK: Whose it is

    /// A server of the company's own.
    static func isHost(_ host: Substring) -> Bool
    /// Paths that are this API's and nobody else's. `path`: without the query and a provider's name.
    static func owns(_ path: String) -> Bool
    /// Paths that stay this API's where a provider is called as they begin.
    static func claims(_ path: String, query: String?) -> Bool
    /// Its paths begin so, behind a version that callers leave out. `segment`: the first one.
    static func begins(with segment: Substring) -> Bool
    /// Fields that no other company's SDK sends.
    static var ownFields: [FieldName] { get }
    /// Whether the value of Authorization is one that no other company's SDK sends.
    static func isOwn(authorization: ArraySlice<UInt8>) -> Bool
    /// The field that its SDK sends the key in, if that is no other's.
    static var keyField: FieldName? { get }
    /// Parameters of a query that its SDK sends the key in; in small letters, with dashes.
    static var keyParameters: [String] { get }
    /// Fields that its SDK sends from within a browser.
    static var browserFields: [String] { get }

    // MARK: What a request asks for

    /// `segments`: of a path as `owns` has it.
    static func operation(_ segments: [Substring]) -> Operation
    /// Model and stream flag, if the path has them.
    static func facts(_ segments: [Substring]) -> RequestFacts
    /// Puts another model into a path that names one; false if it does not. `segments`: the first is empty; `model` is
    /// escaped.
    static func put(_ model: String, into segments: inout [String]) -> Bool
    /// Parameters of a WebSocket's query that name the model, besides `model`.
    static var modelParameters: [String] { get }

    // MARK: How a provider is asked

    /// Escapes in its paths may stand for slashes, so they are not undone, and its paths are sent with everything escaped.
    static var escapesPaths: Bool { get }
    /// The version that its paths begin with where neither the base URL nor the caller says one.
    static var version: Substring? { get }
    /// Its servers have versions of their own ("/api/paas/v4"), and "v1" stands for any of them.
    static var hasOtherVersions: Bool { get }
    /// Behind a gateway whose base path has a version further up, its paths keep their own.
    static var keepsVersion: Bool { get }
    /// Base path and path as one, where this API joins them in its own way.
    static func join(base: String, _ path: Substring) -> String?
    /// The field that the key goes into, up to the key itself.
    static func keyField(for key: Secret) -> StaticString
    /// A field that is added if the caller sends none.
    static var addedField: AddedField? { get }
    /// Requests can be signed with AWS's keys.
    static var isSigned: Bool { get }
    /// What can be asked for by GET that costs nothing and needs a key: a path with its query. `address`: of the provider.
    static func probe(_ address: BaseURL) -> String

    // MARK: What answers say

    /// Where the answer to an operation of this API's says what; nil for what other APIs have.
    static func answers(_ operation: Operation) -> AnswerFormat?
    /// Who might do better, by the type or code of an error event; nil for what is not of this API's words.
    static func remedy(of code: String) -> AttemptOutcome.Remedy?
    /// Types and codes of its error events that say that something went wrong there, which may go well a moment later.
    static var passingErrors: Set<String> { get }
    /// Writes a problem as its SDK reads it.
    static func write(_ problem: Problem, requestID: String, to output: inout [UInt8])
    /// The field that its SDK reads a request's id from.
    static var requestIDField: String { get }
    /// Status of a refusal for which there is no money left.
    static var budgetStatus: Int { get }
    /// A further field of an answer with a problem.
    static func field(of problem: Problem) -> (name: String, value: String)?
}

/// A header field with its value. `start`: name, colon and blank.
package struct AddedField: Sendable {
    package let name: FieldName
    package let start: StaticString
    package let value: StaticString
}

extension ProviderAPI {
    package static func isHost(_ host: Substring) -> Bool { false }
    package static func claims(_ path: String, query: String?) -> Bool { false }
    package static func begins(with segment: Substring) -> Bool { false }
    package static var ownFields: [FieldName] { [] }
    package static func isOwn(authorization: ArraySlice<UInt8>) -> Bool { false }
    package static var keyField: FieldName? { nil }
    package static var keyParameters: [String] { [] }
    package static var browserFields: [String] { [] }

    package static func operation(_ segments: [Substring]) -> Operation { OpenAI.operation(segments[...]) }
    package static func facts(_ segments: [Substring]) -> RequestFacts { RequestFacts() }
    package static func put(_ model: String, into segments: inout [String]) -> Bool { false }
    package static var modelParameters: [String] { [] }

    package static var escapesPaths: Bool { false }
    package static var version: Substring? { "v1" }
    package static var hasOtherVersions: Bool { false }
    package static var keepsVersion: Bool { false }
    package static func join(base: String, _ path: Substring) -> String? { nil }
    package static func keyField(for key: Secret) -> StaticString { "Authorization: Bearer " }
    package static var addedField: AddedField? { nil }
    package static var isSigned: Bool { false }
    package static func probe(_ address: BaseURL) -> String { "/v1/models" }

    package static func answers(_ operation: Operation) -> AnswerFormat? { nil }
    package static func remedy(of code: String) -> AttemptOutcome.Remedy? { nil }
    package static var passingErrors: Set<String> { [] }
    package static func write(_ problem: Problem, requestID: String, to output: inout [UInt8]) {
        OpenAI.writeError(problem, to: &output)
    }
    package static var requestIDField: String { "x-request-id" }
    package static var budgetStatus: Int { 429 }
    package static func field(of problem: Problem) -> (name: String, value: String)? { nil }
}

extension Substring {
    /// Whether a host is `domain` or stands below it.
    func isUnder(_ domain: String) -> Bool { self == domain || hasSuffix("." + domain) }
}
