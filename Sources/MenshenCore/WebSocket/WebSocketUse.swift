// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Whether a provider is asked for WebSockets: `providers[].websocket`.
package enum WebSocketUse: String, Sendable, CaseIterable {
    /// It is, until it has shown that it has none.
    case auto
    case off
}

/// What an answer to a request for a WebSocket says of the server, where the same can be had over plain HTTP.
package enum WebSocketLack: Sendable {
    /// It knows no WebSocket at that path, today or tomorrow.
    case lasting
    /// As likely as not; the next request asks again.
    case perhaps

    /// nil: it has granted it, or speaks of something else, such as the key or its load.
    package init?(status: Int, isEmpty: Bool) {
        switch status {
        // No such path, or none that takes GET: Go's, Node's and C++ servers, and ASGI servers without a WebSocket library.
        // A server or gateway that overlooks the wish answers the GET. 426 and 501 say it in so many words.
        case 404, 405, 426, 501, 200..<300: self = .lasting
        // Some gateways' word for a handshake that they don't know, others' for a handshake that lacks something.
        case 400: self = .perhaps
        // uvicorn's and hypercorn's word for a path without a WebSocket; a refused key comes with a sentence.
        case 403 where isEmpty: self = .perhaps
        default: return nil
        }
    }
}
