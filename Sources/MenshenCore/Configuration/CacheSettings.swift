// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

extension Configuration {
    /// `[cache]`: answers given again to the same request.
    package struct Cache: Sendable, Equatable {
        /// Off: a program that asks twice may want a second opinion.
        package var enable = false
        /// Oldest answer that is given again; set whenever `enable` is. There is no default: only whoever turns the cache
        /// on knows when an answer is too old.
        package var maxAge: Duration?
        /// Largest answer that is kept, as it goes to the caller. 5 MiB, as in ai-menshen: a stream of about 16,000 tokens
        /// at some 300 bytes each, or vectors for a few hundred texts.
        package var maxBodyBytes = 5 << 20
        /// All answers together. Some hundred long streams or ten thousands of short answers, and little beside what
        /// else lies in ~/.cache.
        package var maxBytes = 256 << 20
        package var scope = CacheScope.caller
        /// Requests that are the same and come at the same time wait for one answer. Off: the first one's failure would
        /// be everybody's.
        package var coalesce = false
        /// nil: the cache directory's cache.db.
        package var path: String?
    }
}

extension Configuration.Cache: ConfigurationRoot {
    static let defaults = Self()

    static let settings: [ConfigurationSetting<Self>] = [
        .boolean(
            "cache.enable", \.enable,
            "Give a stored answer to a request that was answered before; needs `max_age`."),
        .custom(
            "cache.max_age", .duration(orOff: true), sample: "\"1h\"",
            "Oldest answer that is given again; no default, and \"off\" keeps the cache off."
        ) {
            $0.maxAge = $1.duration("max_age")
        } shown: {
            $0.maxAge.map(TOMLText.duration)
        },
        .size("cache.max_body_bytes", 0...1 << 30, \.maxBodyBytes, "Largest answer that is stored."),
        .size(
            "cache.max_bytes", 1 << 20...1 << 40, \.maxBytes,
            "Limit of all stored answers together; the least recently used make room."),
        .custom(
            "cache.scope", .text, default: TOMLText.quoted(defaults.scope.rawValue),
            "\"caller\": each caller has its own answers; \"instance\": all callers share them.", read: readScope
        ) {
            TOMLText.quoted($0.scope.rawValue)
        },
        .boolean(
            "cache.coalesce", \.coalesce,
            "Let requests that are the same and come at the same time wait for one answer."),
        .path(
            "cache.path", \.path, sample: "\"~/.cache/menshen/cache.db\"",
            "File of the stored answers; `cache.db` in the cache directory unless given."),
    ]

    @Sendable private static func readScope(_ cache: inout Self, _ section: ConfigurationSection) {
        guard let scope = section.text("scope") else { return }
        if let known = CacheScope(rawValue: scope.text) {
            cache.scope = known
            return
        }
        let names = CacheScope.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
        section.reading.error(
            at: scope.span, "cache.scope must be \(names)",
            hint: NearName.of(scope.text, among: CacheScope.allCases.map(\.rawValue)).map { "did you mean \($0)?" })
    }

    @Sendable static func check(_ configuration: inout Configuration, _ top: ConfigurationSection) {
        let section = top.section("cache")
        if configuration.cache.maxBodyBytes > configuration.cache.maxBytes {
            section.reading.error(
                at: section.valueSpan("max_body_bytes") ?? section.valueSpan("max_bytes"),
                "cache.max_body_bytes is more than cache.max_bytes",
                hint: "one answer must have room in the cache; lower max_body_bytes or raise max_bytes")
        }
        configuration.cache.checkAge(section)
    }

    /// ai-menshen takes 0, its default, for "for ever". menshen keeps no answer without an end.
    private mutating func checkAge(_ section: ConfigurationSection) {
        let isOff = maxAge == .zero
        if isOff { maxAge = nil }
        guard enable, maxAge == nil else { return }
        if isOff {
            enable = false
            section.reading.warning(
                at: section.valueSpan("max_age"), "[cache] stays off: max_age is 0, and no answer is kept for ever",
                hint: "write max_age = \"1h\"")
        } else if !section.has("max_age") {
            section.reading.error(
                at: section.valueSpan("enable"), "[cache] needs a max_age",
                hint: "write max_age = \"1h\": the oldest answer that may be given again")
        }
    }
}
