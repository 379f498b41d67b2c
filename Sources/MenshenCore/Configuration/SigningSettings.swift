// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

extension Provider {
    /// All for `signing`.
    static let signingSettings: [ConfigurationSetting<Self>] = [
        .custom(
            "providers[].aws_access_key_id", .text, sample: "\"AKIAIOSFODNN7EXAMPLE\"",
            "Sign requests to Bedrock with this access key; the key is its secret access key then."
        ) {
            ($0.signing?.accessKeyID).map(TOMLText.quoted)
        },
        .custom(
            "providers[].aws_session_token", .text, sample: "\"${AWS_SESSION_TOKEN:-}\"",
            "Session token of temporary AWS credentials."
        ) {
            ($0.signing?.sessionToken).map { _ in TOMLText.hidden }
        },
        .custom(
            "providers[].region", .text, sample: "\"us-east-1\"",
            "AWS region to sign for, where `base_url` does not name it."
        ) {
            ($0.signing?.region).map(TOMLText.quoted)
        },
    ]
}

extension SigV4 {
    /// nil without `aws_access_key_id`, and if something about it is wrong.
    static func read(_ section: ConfigurationSection, _ kind: Dialect, _ address: BaseURL?) -> SigV4? {
        let reading = section.reading
        let identifier = section.text("aws_access_key_id")
        let token = section.text("aws_session_token").flatMap { sessionToken($0, reading) }
        let region = section.text("region").flatMap { regionName($0, reading) }
        guard section.has("aws_access_key_id") else {
            for name in ["aws_session_token", "region"] {
                guard let span = section.keySpan(name) else { continue }
                reading.warning(at: span, "providers[].\(name) has no effect without aws_access_key_id")
            }
            return nil
        }
        if !kind.api.isSigned {
            reading.error(
                at: section.keySpan("aws_access_key_id"), "providers[].aws_access_key_id is for kind \"bedrock\" only")
        }
        if let span = section.keySpan("api_keys") {
            reading.error(
                at: span, "providers[].api_keys cannot sign: each secret access key has an id of its own",
                hint: "write one [[providers]] for each")
        }
        if !KeySource.places.contains(where: section.has) {
            reading.error(
                at: section.keySpan("aws_access_key_id"),
                "providers[].aws_access_key_id needs the secret access key that belongs to it",
                hint: "put it into a file of its own (mode 0600) and name that with api_key_file")
        }
        if !section.has("region"), let address, Bedrock.region(of: address) == nil {
            reading.error(
                at: section.keySpan("aws_access_key_id"),
                "providers[].region is needed, because base_url does not name one",
                hint: "write region = \"us-east-1\"")
        }
        guard let identifier, let region = region ?? address.flatMap(Bedrock.region) else { return nil }
        guard Bedrock.isName(identifier.text, "_") else {
            reading.error(
                at: identifier.span, "providers[].aws_access_key_id is not the id of an access key",
                hint: "it looks like \"AKIAIOSFODNN7EXAMPLE\"; the secret belongs to api_key_file")
            return nil
        }
        return SigV4(accessKeyID: identifier.text, region: region, sessionToken: token)
    }

    /// An empty one is none: permanent credentials have no token.
    private static func sessionToken(_ token: ExpandedText, _ reading: ConfigurationReading) -> Secret? {
        if token.text.isEmpty { return nil }
        if token.isVisibleASCII { return Secret(token.text) }
        reading.error(
            at: token.span,
            "providers[].aws_session_token holds a space, a line break or a character outside ASCII",
            hint: token.isExpanded ? "look for a line break at the end of the variable's value" : nil)
        return nil
    }

    private static func regionName(_ region: ExpandedText, _ reading: ConfigurationReading) -> String? {
        if Bedrock.isName(region.text, "-") { return region.text }
        reading.error(
            at: region.span, "providers[].region is not the name of a region", hint: "write region = \"us-east-1\"")
        return nil
    }
}
