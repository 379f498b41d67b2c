// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore

/// The second half of the demo's report: what each side saw, and what was kept.
struct DemoFindings {
    let report: DemoReport
    let directory: DemoDirectory
    let key: String
    let masked: String

    func show(_ replies: [DemoCaller.Reply], _ sightings: [DemoSighting], _ rows: [DemoRow]) {
        showAnswers(replies)
        showProvider(sightings)
        showRecords(replies, rows)
    }

    private func showAnswers(_ replies: [DemoCaller.Reply]) {
        guard let plain = replies.first, let stream = replies.last else { return }
        report.check(plain.status == 200 && plain.text == DemoAnswer.plainText, "the plain answer is whole (200)")
        let first = stream.pieces.first?.at ?? 0
        let last = stream.pieces.last?.at ?? 0
        let words = DemoAnswer.words(DemoAnswer.streamedText)
        report.check(
            stream.status == 200 && stream.pieces.map(\.text) == words,
            "the streamed answer came in \(words.count) pieces, as the provider said them (200)")
        // The provider pauses 35 ms between two words; an answer that was held back comes at once.
        let pace = UInt64(words.count - 1) * 35_000
        report.check(
            last - first > pace / 2, "first word after \(ms(first)), last after \(ms(last)): nothing was held back")
        report.check(!replies.contains { $0.bytes.holds(key) }, "the caller was never shown the key")
    }

    private func showProvider(_ sightings: [DemoSighting]) {
        report.heading("3. What the provider saw")
        for sighting in sightings {
            report.line(report.styled("< \(sighting.line)", .word))
            for field in sighting.fields {
                let value = field.value.split(separator: key, omittingEmptySubsequences: false).joined(
                    separator: masked)
                report.line(report.styled("< \(field.name): \(value)", .word))
            }
        }
        report.check(
            sightings.count == 2 && sightings.allSatisfy { $0.authorization == "Bearer " + key },
            "both requests carried the key \(masked)")
        for decoy in DemoCaller.decoys {
            report.check(
                !sightings.contains { $0.holds(decoy.secret) },
                "the caller's \(decoy.name) (\(decoy.secret)) did not arrive")
        }
        report.check(
            !sightings.contains { $0.has(field: "x-api-key") || $0.has(field: "cookie") },
            "no x-api-key and no cookie at all")
    }

    private func showRecords(_ replies: [DemoCaller.Reply], _ rows: [DemoRow]) {
        report.heading("4. What was recorded")
        report.line("SQLite \(directory.file("menshen.db"))")
        report.table(DemoRow.titles, rows.map(\.cells))
        report.check(
            rows.count == 2 && rows.allSatisfy { $0.endState == EndState.complete.rawValue && $0.status == 200 },
            "one row for each request, both complete")
        report.check(
            rows.map(\.id.description) == replies.compactMap { $0.first("x-menshen-request-id") },
            "each answer carried the id of its row")
        report.check(
            rows.map(\.isStream) == [false, true]
                && rows.allSatisfy { $0.model == DemoProvider.model && $0.provider == "demo" },
            "with provider, model and stream flag")
        report.check(
            rows.allSatisfy { $0.caller == DemoProcess.ownExecutable },
            "and with the caller: \(DemoProcess.ownExecutable)")
        let files = ["menshen.db", "menshen.db-wal", "errors", "output"]
        let kept = files.flatMap { (try? FileReading.bytes(directory.file($0), limit: 64 << 20)) ?? [] }
        report.check(
            !kept.holds(key) && !kept.isEmpty,
            "the key is not in the database, its log or the daemon's output (\(kept.count) bytes)")
        showJournal(rows)
    }

    private func showJournal(_ rows: [DemoRow]) {
        guard let last = rows.last else { return }
        switch DemoJournal.look(for: rows.map(\.id)) {
        case .found(let count): report.check(count == rows.count, "\(count) entries read back from the systemd journal")
        case .unreadable:
            report.note("systemd runs here, but the entries could not be read back: may you read the journal?")
        case .absent:
            return report.note("no journal entry: systemd does not run this machine; the rows above are the record")
        }
        report.line("journalctl -o verbose MENSHEN_REQUEST_ID=\(last.id)")
    }

    func invite(keeps: Bool) {
        let socket = keeps ? directory.file("menshen.sock") : "SOCKET"
        report.heading(
            keeps
                ? "5. Your turn: it stays up until Ctrl-C"
                : "5. Your turn: 'menshen demo --keep' stays up and names its SOCKET")
        report.line("curl -N --unix-socket \(socket) http://localhost/v1/chat/completions \\")
        report.line("  -H 'Content-Type: application/json' -d '\(DemoCaller.body(isStream: true))'")
        if keeps {
            report.line("sqlite3 \(directory.file("menshen.db")) 'SELECT * FROM request_log'")
        }
    }

    private func ms(_ microseconds: UInt64) -> String { DemoRow.milliseconds(Int64(microseconds)) }
}
