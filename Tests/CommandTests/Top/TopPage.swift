// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What `/_menshen/live` answers at one moment, made up. The manual shows how it looks.
enum TopPage {
    static let busy = page(
        requests: [
            request(
                "1k188fc9kfg10", "streaming", age: 22_400_000, token: "carol", client: "opencode",
                session: "8d3743fb-02", model: "anthropic/claude-opus-5-5-20261001-v1:0", provider: "openrouter",
                sent: 59_500, firstByte: 1_240_000, input: 81_800, output: 1204),
            request(
                "1k188fc9kfg11", "streaming", age: 14_200_000, token: "alice", client: "claude-code",
                session: "77d836b6-1a", model: "claude-opus-5-5", provider: "anthropic", sent: 30_100,
                firstByte: 1_150_000, input: 143_000, output: 612),
            request(
                "1k188fc9kfg12", "asked", age: 380_000, token: "ci", client: "openai-python", model: "gpt-6-luna",
                provider: "openai"),
            request(
                "1k188fc9kfg13", "queued", age: 90_000, uid: 4_000_000_000, model: "gpt-6.2-sol", provider: "openai"),
        ],
        providers: [
            provider(
                "anthropic", active: 1, places: 16,
                limits: [
                    limit("subscription", window: "5h", used: 0.37), limit("subscription", window: "7d", used: 0.61),
                ]),
            provider(
                "openai", "paused", "limited for gpt-6.2-sol, again in 54 s", active: 1, places: 32, queued: 1,
                limits: [limit("tokens", whole: 100_000, left: 16_000), limit("tokens", whole: 1000, left: 900)],
                failure: "limited"),
            provider("openrouter", active: 1),
            provider(
                "gemini", "left_alone", "failing, again in 14 s", places: 8,
                limits: [limit("requests", whole: 1000, left: 960)], failure: "server_error"),
            provider("local", "off", "switched off"),
        ],
        pots: [
            pot("instance", "", "400usd/month", "usd", "400", "269.47", "0.41", "130.12", "2026-12-01T00:00:00+01:00"),
            pot("token", "ci", "1.75usd/day", "usd", "1.75", "1.61", "0.02", "0.12", "2026-11-28T00:00:00+01:00"),
        ])

    /// `open`: more than are listed.
    static func page(
        requests: [String] = [], providers: [String] = [], pots: [String] = [], open: Int? = nil, faults: String = ""
    ) -> String {
        """
        {"schema":"menshen.live.v1","version":"0.9.0","host":"build-7","pid":4711,"state":"serving",\
        "time_us":1795786568214000,"uptime_seconds":3600,"faults":[\(faults)],"requests_ended":4833,"requests_failed":82,\
        "requests_open":\(open ?? requests.count),"requests":[\(requests.joined(separator: ","))],\
        "providers":[\(providers.joined(separator: ","))],"timezone":"Europe/Berlin",\
        "limits":[\(pots.joined(separator: ","))]}

        """
    }

    static func request(
        _ id: String, _ state: String, age: Int, token: String? = nil, uid: UInt32? = nil, client: String? = nil,
        session: String? = nil, model: String? = nil, provider: String? = nil, sent: Int = 0, firstByte: Int? = nil,
        input: Int? = nil, output: Int? = nil
    ) -> String {
        """
        {"id":"\(id)","state":"\(state)","age_us":\(age),"token":\(text(token)),"uid":\(number(uid)),"executable":null,\
        "unit":null,"client":\(text(client)),"session":\(text(session)),"operation":"chat","model":\(text(model)),\
        "provider":\(text(provider)),"stream":true,"attempts":0,"status":null,"bytes_in":49,"bytes_out":\(sent),\
        "first_byte_us":\(number(firstByte)),"input_tokens":\(number(input)),"output_tokens_least":\(number(output))}
        """
    }

    static func provider(
        _ name: String, _ health: String = "fine", _ state: String = "ok", active: Int = 0, places: Int? = nil,
        queued: Int = 0, limits: [String] = [], failure: String? = nil
    ) -> String {
        """
        {"name":"\(name)","kind":"openai","base_url":"https://a.example","key_source":"file /k","key_trouble":null,\
        "weight":1,"health":"\(health)","state":"\(state)","active":\(active),"places":\(number(places)),\
        "queued":\(queued),"keys":[{"breaker":"closed","wait_ms":0,"limited_models":[],\
        "headroom":[\(limits.joined(separator: ","))]}],\
        "last_failure":\(failure.map { "{\"reason\":\"\($0)\",\"status\":429,\"ago_ms\":7}" } ?? "null")}
        """
    }

    static func limit(
        _ unit: String, window: String? = nil, whole: Int? = nil, left: Int? = nil, used: Double? = nil,
        resets: Int? = nil
    ) -> String {
        """
        {"unit":"\(unit)","window":\(text(window)),"limit":\(number(whole)),"remaining":\(number(left)),\
        "utilization":\(used.map { "\($0)" } ?? "null"),"status":null,"resets_in_ms":\(number(resets)),"age_ms":7}
        """
    }

    static func pot(
        _ holder: String, _ name: String, _ limit: String, _ measure: String, _ amount: String, _ spent: String,
        _ reserved: String, _ remaining: String, _ resets: String
    ) -> String {
        """
        {"holder":"\(holder)","name":"\(name)","limit":"\(limit)","measure":"\(measure)","amount":\(amount),\
        "spent":\(spent),"reserved":\(reserved),"remaining":\(remaining),"resets_at":"\(resets)","is_known":true}
        """
    }

    private static func text(_ value: String?) -> String { value.map { "\"\($0)\"" } ?? "null" }
    private static func number(_ value: (some BinaryInteger)?) -> String { value.map { "\($0)" } ?? "null" }
}
