// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport

/// What a provider of the fault matrix does in place of an answer.
enum Fault: String, CaseIterable {
    case refused
    case resetBeforeHead = "reset before the head"
    case resetInHead = "reset within the head"
    case hangBeforeHead = "hangs before the head"
    case hangInBody = "hangs within the body"
    case garbage = "garbage in place of a head"
    case badRequest = "400"
    case unauthorized = "401"
    case forbidden = "403"
    case notFound = "404"
    case requestTimeout = "408"
    case tooLarge = "413"
    case unprocessable = "422"
    case limitedWithTime = "429 with Retry-After"
    case limited = "429"
    case serverError = "500"
    case unavailable = "503"
    case overloaded = "529"
    case errorAtHead = "error event at the head"
    case errorLater = "error event later"
    case truncated = "breaks off within the body"

    var status: Int? { Int(rawValue.prefix(3)) }
}

/// One place of the matrix: `count` providers, of which all but the last have the fault; a single one has it too.
struct FaultCell {
    let fault: Fault
    let isStream: Bool
    let count: Int

    static let all = [1, 2, 3].flatMap { count in
        Fault.allCases.flatMap { fault in
            [false, true].map { FaultCell(fault: fault, isStream: $0, count: count) }
        }
    }

    /// The model that is asked for, which only this cell's providers have.
    var name: String { "\(Fault.allCases.firstIndex(of: fault) ?? 0)-\(isStream ? "stream" : "plain")-\(count)" }
    func providerName(_ place: Int) -> String { "\(name)-\(place)" }
    /// How many of its providers have the fault.
    var faulty: Int { max(1, count - 1) }

    var requestBody: String { #"{"model":"\#(name)","input":"hello","stream":\#(isStream)}"# }

    func providers(refusing port: UInt16) -> [String] {
        (1...count).map { place in
            let isRefused = fault == .refused && place <= faulty
            return Stage.provider(
                providerName(place), leads: place == 1, base: isRefused ? "http://127.0.0.1:\(port)" : "UPSTREAM",
                "models = [\"\(name)\"]")
        }
    }

    // MARK: What providers say

    /// The body that a provider sends, as far as it comes.
    func body(of place: Int) -> String {
        let isFaulty = place <= faulty
        let created =
            #"data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_\#(place)"}}"# + "\n\n"
        let content =
            #"data: {"type":"response.output_text.delta","sequence_number":1,"delta":"by \#(place)"}"# + "\n\n"
        let error =
            #"data: {"type":"error","sequence_number":2,"code":"server_error","message":"by \#(place)"}"# + "\n\n"
        let end =
            #"data: {"type":"response.completed","response":{"id":"resp_\#(place)","status":"completed"}}"# + "\n\n"
        let whole = #"{"id":"resp_\#(place)","status":"completed","output":["by \#(place)"]}"#
        guard isFaulty else { return isStream ? created + content + end : whole }
        switch fault {
        case .errorAtHead, .errorLater:
            let failed = #"{"id":"resp_\#(place)","status":"failed","error":{"code":"server_error"}}"#
            return isStream ? created + (fault == .errorLater ? content : "") + error : failed
        case .hangInBody, .truncated: return isStream ? created + content : String(whole.prefix(20))
        default: return #"{"error":{"message":"by \#(place)","type":"some_error","code":null}}"#
        }
    }

    /// Plays one of this cell's providers.
    func play(_ place: Int, _ call: UpstreamCall) throws {
        let body = body(of: place)
        guard place <= faulty else { return try answer(body, call) }
        switch fault {
        case .refused: throw TestFailure("a request came to \(call.provider)")
        case .resetBeforeHead: call.reset()
        case .resetInHead:
            try call.send("HTTP/1.1 200 OK\r\nContent-Ty")
            call.reset()
        case .hangBeforeHead: try call.waitForEnd()
        case .garbage:
            try call.send("220 mail.example.org ESMTP\r\n\r\n")
            call.close()
        case .hangInBody:
            try begin(body, call)
            try call.waitForEnd()
        case .truncated:
            try begin(body, call)
            call.close()
        case .errorAtHead, .errorLater: try answer(body, call)
        default:
            let pause = fault == .limitedWithTime ? ["Retry-After: 30"] : []
            try call.reply(
                fault.status ?? 0, ["Content-Type: application/json", "X-By: \(place)"] + pause + Self.last, body: body)
            call.close()
        }
    }

    private func answer(_ body: String, _ call: UpstreamCall) throws {
        if isStream {
            try begin(body, call)
            try call.endStream()
        } else {
            try call.reply(200, ["Content-Type: application/json"] + Self.last, body: body)
        }
        call.close()
    }

    /// A connection that is used again may break without a fault of this cell's; menshen then asks again over a new one.
    private static let last = ["Connection: close"]

    private func begin(_ body: String, _ call: UpstreamCall) throws {
        guard isStream else {
            return try call.send(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n" + body)
        }
        try call.beginStream(["Content-Type: text/event-stream"] + Self.last)
        for event in body.split(separator: "\n\n") { try call.chunk(event + "\n\n") }
    }
}
