// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What has a price of its own. The raw values are what tables, `prices.toml` and reasons say.
package enum PriceUnit: String, Sendable, CaseIterable {
    // Tokens; prices are for a million.
    case input, output, cached
    /// Written to a cache where the seller knows but one lifetime.
    case write
    case write5m = "write_5m"
    case write30m = "write_30m"
    case write1h = "write_1h"
    case write12h = "write_12h"
    case audioIn = "audio_in"
    case audioOut = "audio_out"
    case audioCached = "audio_cached"
    case imageIn = "image_in"
    case imageOut = "image_out"
    case imageCached = "image_cached"
    case videoIn = "video_in"
    case videoOut = "video_out"
    /// Where it costs other than output.
    case reasoning
    case citation
    case character
    /// Of sound.
    case audioHour = "audio_hour"
    // Calls, pages and messages; prices are for a thousand.
    case webSearch = "web_search"
    case webFetch = "web_fetch"
    case fileSearch = "file_search"
    case request, page
    case annotatedPage = "annotated_page"
    case message

    /// How many of what is counted the price is for. Sound is counted in microseconds.
    var quantity: Int128 {
        switch self {
        case .audioHour: 3_600_000_000
        case .webSearch, .webFetch, .fileSearch, .request, .page, .annotatedPage, .message: 1000
        default: 1_000_000
        }
    }

    /// For people: "input at 3 dollars per million tokens".
    package var measure: String {
        switch self {
        case .audioHour: "hour"
        case .webSearch, .webFetch, .fileSearch, .request: "1000 calls"
        case .page, .annotatedPage: "1000 pages"
        case .message: "1000 messages"
        case .character: "million characters"
        default: "million tokens"
        }
    }

    /// Lifetimes of what is written to a cache; the first that a seller has is what a request gets that asks for none.
    static let lifetimes: [(seconds: Int64, unit: PriceUnit)] = [
        (300, .write5m), (1800, .write30m), (3600, .write1h), (43_200, .write12h),
    ]

    /// It stands in no usage that menshen reads, so that what it costs is not known.
    var isNeverCounted: Bool {
        switch self {
        case .citation, .character, .page, .annotatedPage, .message: true
        default: false
        }
    }

    /// A part of the answer's tokens.
    var isOutput: Bool { [.output, .audioOut, .imageOut, .videoOut, .reasoning, .citation].contains(self) }

    /// A part of the tokens.
    var isToken: Bool { quantity == 1_000_000 && self != .character }
}
