// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Configuration {
    /// `[logging]`: bodies are prompts, so they are stored only when asked for.
    package struct Logging: Sendable, Equatable {
        package var logRequestBody = false
        package var logResponseBody = false
        /// Stored part of a body; the rest is counted, not kept.
        package var maxBodyBytes = 256 << 10
        package var clientHeaders = true
        package var callerProject = true
    }
}

extension Configuration.Logging: ConfigurationRoot {
    static let defaults = Self()

    static let settings: [ConfigurationSetting<Self>] = [
        .boolean(
            "logging.log_request_body", \.logRequestBody,
            "Store request bodies, which are prompts, with the records."),
        .boolean("logging.log_response_body", \.logResponseBody, "Store answers with the records."),
        .size("logging.max_body_bytes", 0...1 << 30, \.maxBodyBytes, "Stored part of a body."),
        .boolean(
            "logging.client_headers", \.clientHeaders,
            "Record client, session and agent as programs name them in their headers."),
        .boolean(
            "logging.caller_project", \.callerProject,
            "Record the root of the repository that a caller on the Unix socket works in."),
    ]
}
