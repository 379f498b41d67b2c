// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

private let provider = "[[providers]]\nbase_url = \"https://api.openai.com/v1\"\n"

/// What can be wrong with settings about several providers, keys and models.
let routingFaults: [FaultCase] = [
    FaultCase(
        name: "half a client certificate",
        text: "\(provider)client_certificate_file = \"/c.pem\"\n\(provider)client_key_file = \"/c.key\"",
        expected: [
            "c.toml:3:1: error: providers[].client_certificate_file is of no use without client_key_file",
            "  hint: give both, which may name the same file, or neither",
            "c.toml:6:1: error: providers[].client_key_file is of no use without client_certificate_file",
            "  hint: give both, which may name the same file, or neither",
        ]),
    FaultCase(
        name: "models and aliases",
        text: "\(provider)models = []\naliases = { fast = \"\" }",
        expected: [
            "c.toml:3:10: error: providers[].models is empty, so the provider would get no request",
            "  hint: remove it if the provider has every model, or write models = [\"gpt-*\"]",
            "c.toml:4:20: error: providers[].aliases: a name and a model are needed",
            "  hint: write aliases = { fast = \"gpt-4.1-mini\" }",
        ]),
    FaultCase(
        name: "several keys",
        text:
            "\(provider)api_keys = []\napi_key_file = \"/k\"\naws_access_key_id = \"AKIAX\"\nkind = \"bedrock\"\nregion = \"r\"",
        expected: [
            "c.toml:3:1: error: providers[].api_keys cannot sign: each secret access key has an id of its own",
            "  hint: write one [[providers]] for each",
            "c.toml:3:12: error: providers[].api_keys holds no key",
            "  hint: write api_keys = [\"${KEY_1}\", \"${KEY_2}\"]",
            "c.toml:4:1: error: a provider has one source for its key, and api_keys is given already",
            "  hint: remove one of the two",
        ]),
    FaultCase(
        name: "whose prices",
        text: "\(provider)prices = \"opnai\"",
        expected: [
            "c.toml:3:10: error: providers[].prices is no provider with a list of prices",
            "  hint: did you mean \"openai\"?",
        ]),
]
