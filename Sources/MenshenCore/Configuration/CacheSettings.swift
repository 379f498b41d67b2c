// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// `[cache]`.
extension ConfigurationDecoder {
    static func cache(_ section: ConfigurationSection) -> Configuration.Cache {
        var cache = Configuration.Cache()
        set(&cache.enable, section.boolean("enable"))
        set(&cache.maxBodyBytes, section.size("max_body_bytes"))
        set(&cache.maxBytes, section.size("max_bytes"))
        set(&cache.coalesce, section.boolean("coalesce"))
        if let scope = section.text("scope") {
            if let known = CacheScope(rawValue: scope.text) {
                cache.scope = known
            } else {
                let names = CacheScope.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
                section.reading.error(
                    at: scope.span, "cache.scope must be \(names)",
                    hint: NearName.of(scope.text, among: CacheScope.allCases.map(\.rawValue)).map {
                        "did you mean \($0)?"
                    })
            }
        }
        if let path = section.text("path") { cache.path = FilePath.resolve(path, "cache.path", section.reading) }
        if cache.maxBodyBytes > cache.maxBytes {
            section.reading.error(
                at: section.valueSpan("max_body_bytes") ?? section.valueSpan("max_bytes"),
                "cache.max_body_bytes is more than cache.max_bytes",
                hint: "one answer must have room in the cache; lower max_body_bytes or raise max_bytes")
        }
        let maxAge = section.duration("max_age")
        cache.maxAge = maxAge.flatMap { $0 > .zero ? $0 : nil }
        checkAge(&cache, isOff: maxAge == .zero, section)
        return cache
    }

    /// ai-menshen takes 0, its default, for "for ever". menshen keeps no answer without an end.
    private static func checkAge(_ cache: inout Configuration.Cache, isOff: Bool, _ section: ConfigurationSection) {
        guard cache.enable, cache.maxAge == nil else { return }
        if isOff {
            cache.enable = false
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
