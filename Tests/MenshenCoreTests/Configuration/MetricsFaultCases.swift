// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

private let provider = "[[providers]]\nbase_url = \"https://api.openai.com/v1\"\n"

let metricsFaults: [FaultCase] = [
    FaultCase(
        name: "metrics",
        text: "[server]\nmetrics_listen = \"0.0.0.0:9464\"\nmetrics_max_names = 0\n\(provider)",
        expected: [
            "c.toml:2:18: error: server.metrics_listen: other machines can reach this address, and it asks for no token",
            "  hint: listen on loopback (\":9464\"), or set unsafe_listen = true in [server]",
            "c.toml:3:21: error: server.metrics_max_names must be an integer from 1 to 10000",
        ]),
    FaultCase(
        name: "address of metrics", text: "[server]\nmetrics_listen = \"9464\"\n\(provider)",
        expected: [
            "c.toml:2:18: error: server.metrics_listen: this is not an address to listen on",
            "  hint: write \":9464\", \"127.0.0.1:9464\" or \"[::1]:9464\"",
        ]),
]
