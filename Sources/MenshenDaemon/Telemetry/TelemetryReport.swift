// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What `menshen status` and its JSON say of telemetry.
extension TelemetryStatus {
    var lines: [String] {
        var lines = lanes.map { "telemetry      \($0.signal.rawValue) to \($0.url): \($0.sent) sent, \($0.lost) lost" }
        if dropped > 0 { lines.append("telemetry      \(dropped) requests were left out, because too many waited") }
        if let fault { lines.append("telemetry      last loss: \(fault)") }
        return lines
    }

    var json: String {
        var output: [UInt8] = []
        output += "{\"waiting\":\(waiting),\"dropped\":\(dropped),\"fault\":".utf8
        if let fault { output.append(json: fault) } else { output += "null".utf8 }
        output += ",\"lanes\":[".utf8
        for (index, lane) in lanes.enumerated() {
            if index > 0 { output += ",".utf8 }
            output += "{\"signal\":\"\(lane.signal.rawValue)\",\"url\":".utf8
            output.append(json: lane.url)
            output += ",\"sent\":\(lane.sent),\"lost\":\(lane.lost)}".utf8
        }
        output += "]}".utf8
        return String(decoding: output, as: UTF8.self)
    }
}
