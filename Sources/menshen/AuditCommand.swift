// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenStore

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Check that records are as they were written.",
        discussion: """
            Each record is covered by a hash of it and of all before. Reads the database file, whether or not menshen runs, and \
            changes nothing.
            """,
        subcommands: [AuditVerify.self, AuditHead.self])
}

struct AuditVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Name records that were changed, removed or inserted; exit code 1 if there are any.",
        discussion: """
            Whoever may write the file can make the chain anew from any point. That shows against a head that was kept \
            elsewhere (--head) or against the journal (--journal).
            """)

    @Option(name: .long, help: "What 'menshen audit head' has said earlier: it has to be in the chain.")
    var head: String?

    @Flag(name: .long, help: "Compare the journal's entries with the records, too.")
    var journal = false

    @Option(name: .long, help: "The same with the journal files in this directory, such as another host's.")
    var journalDirectory: String?

    @Flag(name: .long, help: "Print JSON, one object a finding, then one with the numbers.")
    var json = false

    @OptionGroup var records: RecordsOption

    func run() throws {
        let place = try head.map { text in
            guard let place = ChainPlace(text) else {
                throw Terminal.fault(
                    "--head must be what 'menshen audit head' prints, as 812:0011223344556677.", code: 64)
            }
            return place
        }
        let path = try records.place().path
        let compared = journal || journalDirectory != nil ? JournalAudit(directory: journalDirectory, path: path) : nil
        let outcome = try RecordsOption.orFault {
            try ChainAudit.run(path, place: place, journal: compared)
        }
        let view = AuditView(json: json)
        for finding in outcome.findings { view.show(finding) }
        if let compared { view.show(compared.outcome) }
        view.summarise(outcome, compared?.outcome)
        if !outcome.findings.isEmpty || compared?.outcome.isClean == false { throw ExitCode(1) }
    }
}

struct AuditHead: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "head", abstract: "Print the head of the chain, to be kept where nobody changes it.",
        discussion: "'menshen audit verify --head' says later whether everything up to there is as it was.")

    @OptionGroup var records: RecordsOption

    func run() throws {
        let path = try records.place().path
        let head = try RecordsOption.orFault { try RecordReader(path).chainHead() }
        Terminal.print("\(head)")
    }
}

/// Findings as people or programs read them.
private struct AuditView {
    let json: Bool

    func show(_ finding: ChainAudit.Finding) {
        switch finding {
        case .changed(let id): show("changed", id, "is not as it was written")
        case .removed(let id): show("removed", id, "was written and is not there")
        case .inserted(let id): show("inserted", id, "is there and was not written by menshen")
        case .broken(let seq): show("broken", "\(seq)", "link \(seq) does not follow from the one before")
        case .missing(let links):
            let (first, last) = (links.lowerBound, links.upperBound)
            show("missing", "\(first)-\(last)", "links \(first) to \(last) are gone")
        case .foreign(let place): show("head", "\(place)", "the head \(place) is not in the chain, which was made anew")
        }
    }

    func show(_ journal: JournalAudit.Outcome) {
        for id in journal.absent { show("absent", id, "is in the journal and not in the database") }
        for (id, columns) in journal.different {
            show("different", id, "differs from the journal in \(columns.joined(separator: ", "))", columns)
        }
        if let fault = journal.fault { show("journal", "", "the journal can't be read: \(fault)") }
    }

    private func show(_ kind: String, _ id: RequestID, _ words: String, _ columns: [String] = []) {
        if json {
            Terminal.print(
                JSONLine.object([
                    ("finding", .text(kind)), ("request_id", .text(id.description)), ("began", .text(id.began)),
                    ("columns", .text(columns.isEmpty ? nil : columns.joined(separator: ","))),
                ]))
        } else {
            Terminal.print("\(kind.padded(10)) \(id) of \(id.began) \(words).")
        }
    }

    private static func counted(_ number: Int, _ noun: String) -> String {
        "\(number) \(noun)\(number == 1 ? "" : "s")"
    }

    private func show(entries journal: JournalAudit.Outcome) {
        if journal.entries == 0, journal.fault == nil {
            return Terminal.print(
                "Nothing was compared: the journal that this user may read says nothing of this database.")
        }
        let pending = journal.pending > 0 ? ", of which \(journal.pending) are still to be taken over" : ""
        Terminal.print("Compared with the journal: \(journal.entries) of its entries\(pending).")
    }

    private func show(_ kind: String, _ place: String, _ words: String) {
        if json {
            Terminal.print(JSONLine.object([("finding", .text(kind)), ("place", .text(place))]))
        } else {
            Terminal.print("\(kind.padded(10)) \(words).")
        }
    }

    func summarise(_ outcome: ChainAudit.Outcome, _ journal: JournalAudit.Outcome?) {
        let findings = outcome.findings.count + (journal.map { $0.absent.count + $0.different.count } ?? 0)
        if json {
            return Terminal.print(
                JSONLine.object([
                    ("findings", .number(Int64(findings))), ("rows", .number(Int64(outcome.rows))),
                    ("links", .number(Int64(outcome.links))), ("older", .number(Int64(outcome.older))),
                    ("recomputed", .number(Int64(outcome.recomputed))),
                    ("corrected", .number(Int64(outcome.corrected))), ("expired_us", .number(outcome.expired)),
                    ("journal_entries", .number(journal.map { Int64($0.entries) })),
                    ("head", .text(outcome.head?.description)),
                ]))
        }
        let (rows, links) = (Self.counted(outcome.rows, "row"), Self.counted(outcome.links, "link"))
        Terminal.print("As they were written: \(rows), in \(links). \(Self.counted(findings, "finding")).")
        if outcome.older > 0 {
            Terminal.print("From before the chain, which says nothing of them: \(Self.counted(outcome.older, "row")).")
        }
        if let expired = outcome.expired {
            Terminal.print("Rows from before \(RequestID(microseconds: expired).began) were deleted by retention.")
        }
        if outcome.recomputed > 0 {
            Terminal.print(
                "Changed by 'menshen prices recompute': \(Self.counted(outcome.recomputed, "cost")).")
        }
        if outcome.corrected > 0 {
            Terminal.print("Completed from the journal: \(Self.counted(outcome.corrected, "row")).")
        }
        if let journal { show(entries: journal) }
        if let head = outcome.head { Terminal.print("The head is \(head).") }
    }
}
