// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

extension RequestHead {
    /// By such a method nothing new is made: what is there is fetched, or taken away.
    package var isLookUp: Bool { method == .get || method == .head || method == .delete }
}

/// What a request asks its provider to do. Read from method and path alone; recorded by its raw value.
package enum Operation: String, Sendable, CaseIterable {
    case chat, responses, completions, embeddings, moderations, images, speech, transcription, realtime
    case messages
    case countTokens = "count_tokens"
    case generate
    case streamGenerate = "stream_generate"
    case embed, live
    case converse
    case converseStream = "converse_stream"
    case invoke
    case invokeStream = "invoke_stream"
    case files, batches, models, other

    /// `path` without the query and without a leading `/NAME` of a provider.
    package init(_ dialect: Dialect, path: String) {
        self = dialect.api.operation(path.split(separator: "/"))
    }

    /// Whether the provider charges for it, so that an answer without usage leaves the cost unknown. What is only looked
    /// up or stored has none, nor has moderation; `isLookUp`: by GET what another request has paid for is fetched, by
    /// DELETE it is taken away.
    package func hasUsage(isLookUp: Bool) -> Bool {
        switch self {
        case .moderations, .countTokens, .files, .batches: false
        case .realtime, .live: true
        default: !isLookUp
        }
    }

    /// Whether a caller that is refused a WebSocket can have the same over plain HTTP. What is not known might be either.
    package var hasPlainForm: Bool {
        switch self {
        case .realtime, .live, .other: false
        default: true
        }
    }

    /// Whether its requests may name a model in their body. Lists and stored files do not.
    package var namesModel: Bool {
        switch self {
        case .files, .batches, .models: false
        default: true
        }
    }
}
