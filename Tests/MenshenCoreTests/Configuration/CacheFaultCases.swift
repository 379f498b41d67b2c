// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

private let provider = "[[providers]]\nbase_url = \"https://api.openai.com/v1\"\n"

let cacheFaults: [FaultCase] = [
    FaultCase(
        name: "cache without an age", text: "[cache]\nenable = true\n\(provider)",
        expected: [
            "c.toml:2:10: error: [cache] needs a max_age",
            "  hint: write max_age = \"1h\": the oldest answer that may be given again",
        ]),
    FaultCase(
        name: "cache for ever", text: "[cache]\nenable = true\nmax_age = \"off\"\n\(provider)",
        expected: [
            "c.toml:3:11: warning: [cache] stays off: max_age is 0, and no answer is kept for ever",
            "  hint: write max_age = \"1h\"",
        ]),
    FaultCase(
        name: "cache",
        text:
            "[cache]\nscope = \"caler\"\nmax_body_bytes = \"2MiB\"\nmax_bytes = \"1MiB\"\nmax_age = -1\nenable = true\npath = \"\"\nsize = 1\n\(provider)",
        expected: [
            "c.toml:2:9: error: cache.scope must be \"caller\" or \"instance\"",
            "  hint: did you mean caller?",
            "c.toml:3:18: error: cache.max_body_bytes is more than cache.max_bytes",
            "  hint: one answer must have room in the cache; lower max_body_bytes or raise max_bytes",
            "c.toml:5:11: error: cache.max_age must be a duration up to 366d, or \"off\"",
            "  hint: write \"500ms\", \"10s\", \"10min\", \"1h30m\", \"2d\" or a number of seconds",
            "c.toml:7:8: error: cache.path is empty",
            "c.toml:8:1: error: unknown key \"size\" in [cache]",
        ]),
]
