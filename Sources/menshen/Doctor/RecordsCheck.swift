// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenDaemon
internal import MenshenStore

/// The two devices that records go to, and what is missing in them.
struct RecordsCheck {
    private static let subject = "Database"
    /// Bytes: with less there is no room for a day of a busy machine, or for the log beside the file.
    private static let scarce: Int64 = 256 << 20
    private static let full: Int64 = 32 << 20

    private let visit: DoctorVisit

    init(_ visit: DoctorVisit) { self.visit = visit }

    var findings: [Finding] { database + journal }

    private var database: [Finding] {
        let path: String
        do throws(EnvironmentFault) {
            if let given = visit.command.database ?? visit.status?.database ?? visit.configuration?.storage.path {
                path = given
            } else {
                path = try StandardPaths.database()
            }
        } catch {
            return [.failed(Self.subject, error.message, error.hint)]
        }
        var findings: [Finding] = []
        if let fault = visit.status?.look.databaseFault {
            findings.append(
                .failed(
                    Self.subject, "menshen does not write to it: \(fault)",
                    "'journalctl --user -u menshen.service' says what to do; it is tried again each second"))
        }
        if PrivateFile.identity(of: path) == nil, visit.status == nil {
            return findings + [.fine(Self.subject, "\(path) is not there yet; menshen makes it when it is first used")]
        }
        do throws(StoreFault) {
            let condition = try DatabaseCondition(path)
            let isReadable = condition.layout == .current
            return findings + faults(path, condition) + (isReadable ? try prices(path) + gaps(path) : [])
        } catch {
            return findings + [.failed(Self.subject, "the records can't be read: \(error.reason)", error.advice)]
        }
    }

    private func faults(_ path: String, _ condition: DatabaseCondition) -> [Finding] {
        let backlog = visit.status.map { ", backlog \($0.backlog)" } ?? ""
        let unread = condition.damage == nil ? ", too large to be read through here" : ""
        let words =
            "\(path), \(Figures.bytes(condition.size)), \(Figures.counted(condition.rows, "row"))\(backlog)\(unread)"
        var findings: [Finding] = []
        if let damage = condition.damage, let first = damage.first {
            findings.append(
                .failed(
                    Self.subject, "\(path) is damaged: \(first)",
                    "move it and its -wal and -shm files away; `sqlite3 OLD .recover` saves what can be read"))
        } else {
            findings.append(.fine(Self.subject, words))
        }
        switch condition.layout {
        case .current: break
        case .older:
            findings.append(
                .warning(
                    Self.subject, "an older menshen made it", "restart menshen: it makes the file fit as it starts"))
        case .newer:
            findings.append(
                .failed(
                    Self.subject, "a newer menshen made it, and this one leaves it alone",
                    "install that version again, or set [storage.sqlite] path to another file"))
        }
        if condition.mode & 0o077 != 0 {
            findings.append(
                .warning(
                    Self.subject, "other users may read it (mode \(FileMode.text(condition.mode)))", "chmod 600 \(path)"
                ))
        }
        if let free = condition.free, free < Self.scarce {
            let words = "\(Figures.bytes(free)) are left on the disk of \(path)"
            let way = "free space, or lower [storage] retention_days"
            findings.append(free < Self.full ? .failed("Disk", words, way) : .warning("Disk", words, way))
        }
        return findings
    }

    /// Models without a price in the last seven days.
    private func prices(_ path: String) throws(StoreFault) -> [Finding] {
        let now = RecordsOption.now
        let since = now - 7 * 86_400
        let rows = try RecordReports(path).rows(ReportQuery(edges: [since, now + 1], by: [.model]))
        let unpriced = rows.filter { $0.sums[.unpriced] > 0 }.sorted { $0.sums[.unpriced] > $1.sums[.unpriced] }
        guard let first = unpriced.first else { return [] }
        let names = unpriced.prefix(3).map {
            "\(ShownName.clean($0.keys[0] ?? "none named")) (\(Figures.counted($0.sums[.unpriced], "request")))"
        }
        let model = ShownName.clean(first.keys[0] ?? "MODEL")
        return [
            .warning(
                "Prices",
                "\(Figures.counted(Int64(unpriced.count), "model")) without a price in 7 days: "
                    + names.joined(separator: ", ") + (unpriced.count > 3 ? ", …" : ""),
                "'menshen prices set \(model) …', then 'menshen prices recompute --since "
                    + "\(ZonedTime(since, in: .utc).isoDate)'")
        ]
    }

    /// Requests whose rows were lost in the last seven days.
    private func gaps(_ path: String) throws(StoreFault) -> [Finding] {
        let now = RecordsOption.now
        let gaps = try RecordReports(path).gaps(now - 7 * 86_400..<now + 1)
        guard let last = gaps.last else { return [] }
        let missing = gaps.reduce(Int64(0)) { $0.saturatingAdd($1.missing) }
        return [
            .warning(
                "Gaps",
                "\(Figures.counted(missing, "request")) of the last 7 days may be missing; the database was not in use: \(last.reason)",
                "'menshen logs --journal' may have them")
        ]
    }

    private var journal: [Finding] {
        let subject = "Journal"
        let keeping = visit.status?.journal ?? JournalKeeping.own
        switch keeping {
        case .persistent: return [.fine(subject, "kept on disk")]
        case .volatile:
            return [
                .warning(
                    subject, "in memory: what only the journal has is lost when the machine stops",
                    "set Storage=persistent in /etc/systemd/journald.conf, or make /var/log/journal")
            ]
        case .nowhere:
            return [
                .warning(
                    subject, "without files of its own: what only the journal has cannot be read back",
                    "set Storage=persistent in /etc/systemd/journald.conf, unless its entries are kept elsewhere")
            ]
        case .absent:
            return [
                .warning(
                    subject, "there is none: while the database cannot be written, requests are refused",
                    "let systemd-journald run; in a container, mount the host's /run/systemd/journal")
            ]
        }
    }
}
