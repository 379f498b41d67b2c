// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon
internal import MenshenStore

struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one request: who, where it went, how long each step took, and what it cost.",
        discussion: """
            ID is what the answer's x-menshen-request-id says, and what 'menshen logs' shows; its beginning is enough if no \
            other request of the last thousand begins so. 'last' is the newest, 'failed' the newest that failed.
            """)

    @Argument(help: "The request's id, or last, or failed.")
    var id: String
    @Flag(name: .long, help: "Print the request's body, if it is kept.")
    var request = false
    @Flag(name: .long, help: "Print the answer's body, if it is kept; of a stream the text that its events make.")
    var response = false
    @Flag(name: .long, help: "Print the answer's body as it came.")
    var events = false
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup(title: "Appearance") var look: StyleOptions
    @OptionGroup(title: "Records") var records: RecordsOption

    mutating func validate() throws {
        if id.isEmpty {
            throw ValidationError("The id is empty; say one that 'menshen logs' shows, or last, or failed.")
        }
        if [request, response, events, json].filter(\.self).count > 1 {
            throw ValidationError("Say one of --request, --response, --events and --json.")
        }
    }

    func run() throws {
        let (path, zone) = try records.place()
        let reports = try records.open(path, catchingUp: false)
        let detail = try RecordsOption.orFault { try find(reports) }
        if json { return Terminal.print(RecordJSON.line(detail)) }
        if request || response || events { return try printBody(detail, reports) }
        let story = RequestStory(detail, look.style, zone, prices: try prices(of: detail))
        for line in story.lines() { Terminal.print(line) }
    }

    /// Those of the provider that answered, if the configuration still has it.
    private func prices(of detail: RequestDetail) throws -> (book: PriceBook, provider: String)? {
        let file = try records.configuration.path()
        guard FileReading.mode(file) != nil, let loaded = ConfigurationFile.load(file).configuration,
            let provider = loaded.providers.first(where: { $0.name == detail.record.answered.provider })?.prices
        else { return nil }
        return (PriceBook(loaded.prices), provider)
    }

    private func find(_ reports: RecordReports) throws -> RequestDetail {
        var query = LogQuery()
        query.limit = 1
        if id == "failed" { query.filters = [.failed] }
        if ["last", "failed"].contains(id) {
            guard let newest = try reports.requests(query).records.first else {
                throw Terminal.fault("there is no such request.", code: 1)
            }
            return try known(newest.id, reports)
        }
        if let whole = RequestID(id) { return try known(whole, reports) }
        query.limit = 1000
        let fitting = try reports.requests(query).records.filter { $0.id.description.hasPrefix(id) }
        guard let first = fitting.first, fitting.count == 1 else {
            throw Terminal.fault(
                fitting.isEmpty
                    ? "'\(ShownName.clean(id))' is no request of the last thousand; an id has 13 letters and digits, as in 'menshen logs'."
                    : "\(fitting.count) requests begin with '\(ShownName.clean(id))'; say more of it.", code: 1)
        }
        return try known(first.id, reports)
    }

    private func known(_ id: RequestID, _ reports: RecordReports) throws -> RequestDetail {
        guard let detail = try reports.request(id) else {
            throw Terminal.fault(
                "there is no record of request \(id). Records are kept for [storage] retention_days.", code: 1)
        }
        return detail
    }

    private func printBody(_ detail: RequestDetail, _ reports: RecordReports) throws {
        let body = try RecordsOption.orFault { try reports.body(of: detail.record.id, isResponse: !request) }
        guard let body else {
            let key = request ? "log_request_body" : "log_response_body"
            throw Terminal.fault(
                "its body was not kept: [logging] \(key) = true keeps those of later requests.", code: 1)
        }
        let text = events ? String(decoding: body, as: UTF8.self) : KeptBody.readable(body)
        guard StandardStream.output.isTerminal else { return Terminal.write(text) }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            Terminal.print(line.isEmpty ? "" : ShownName.clean(String(line)))
        }
    }
}
