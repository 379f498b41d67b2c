// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What requests are grouped and filtered by in reports. The raw value is its name on the command line, in addresses, in JSON
/// and in CSV.
package enum Dimension: String, CaseIterable, Sendable, Hashable {
    /// As the caller named it, else as the answer does.
    case model
    case provider
    /// Who asked: the token's name, else `uid:1000`; nothing over TCP without a token.
    case caller
    case token
    /// The uid behind the Unix socket, in decimal.
    case user
    /// Path of the program that connected.
    case program
    case unit
    /// The program as it calls itself in its headers.
    case client
    case session
    case agent
    case job
    case project
    case operation
    /// The HTTP status that the caller saw, in decimal.
    case status
    /// `end_state`: `open` while it is under way.
    case outcome
    /// Whom the caller says it asks for.
    case endUser = "end_user"
}
