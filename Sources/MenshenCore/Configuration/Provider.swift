// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A configured upstream: where it is, what it speaks, which key it wants.
package struct Provider: Sendable {
    /// Unique; the first segment of `/NAME/…` paths, and what records say.
    package var name: String
    package var kind: Kind
    package var baseURL: BaseURL
    package var key: KeySource
    /// Added to each request, in place of a caller's header of the same name.
    package var headers: [(name: String, value: Secret)] = []
    /// Share of requests among the providers that fit; 0 takes the provider out.
    package var weight = 1
    /// Proxy URL for libcurl (http://, https://, socks5://, socks5h://); nil goes direct. The environment's proxy variables never apply.
    package var proxy: Secret?
    /// PEM bundle to verify the provider with, in place of the system's.
    package var caFile: String?
    /// HTTP/2 where the provider offers it over TLS: one connection for many streams, at about twice the CPU a request.
    package var http2 = true
    /// Adds `stream_options.include_usage` to chat streams, without which OpenAI's say nothing of their cost.
    package var includeUsage = true
    /// Takes the chunk that this adds out of the answer again.
    package var stripAddedUsage = false

    package init(name: String, kind: Kind, baseURL: BaseURL, key: KeySource) {
        self.name = name
        self.kind = kind
        self.baseURL = baseURL
        self.key = key
    }

    /// How the provider wants its key, and which paths belong to it.
    package enum Kind: String, Sendable, CaseIterable {
        case openai, anthropic, gemini, azure
    }
}

/// Where a provider's key comes from; read when it is first needed.
package enum KeySource: Sendable {
    /// A local server that wants none.
    case none
    /// `api_key`, after `${NAME}` has been filled in.
    case inline(Secret)
    /// `api_key_file`: 0600, own, re-read when it changes.
    case file(path: String)
    /// `api_key_credential`: a name under $CREDENTIALS_DIRECTORY.
    case credential(name: String)
    /// `api_key_command`: argv; its standard output, without the last newline, is the key.
    case command(argv: [String], timeout: Duration, lifetime: Duration)
}
