// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Why nobody can say which model a request is for. That is not the same as a request that names none.
package enum ModelFault: String, Sendable {
    case notJSON = "the body is not JSON"
    case several = "the request names several"
    case notText = "what the body names is not a text"
    case notInPrefix = "the body does not name one in its first 64 KiB, and is streamed from there on"
    case inUTF16 = "the body is text in UTF-16"
    case noBoundary = "the body is a form without a boundary"
    case oddForm = "the body is a form that servers read differently"
    case unknownKind = "the body is neither JSON nor a form"
    case unknownCoding = "menshen does not read the body's Content-Encoding"
    case otherCoding = "the body is not what its Content-Encoding says"
    case cutCoding = "the body ends before its Content-Encoding does"
    case longCoding = "the body is compressed, and too large to be read whole"
    case notInQuery = "a WebSocket's query has to name it (?model=…)"

    /// A request of an API that is not known may do without a model, and this is how it would look.
    package var isUsualWithoutModel: Bool {
        switch self {
        case .notInPrefix, .unknownKind, .notInQuery: true
        default: false
        }
    }
}
