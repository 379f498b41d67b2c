// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenStore

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the records of ended requests for other programs, and go on later where it stopped.",
        discussion: """
            In the order in which requests were settled. Reads the database file, whether or not menshen runs, and changes \
            nothing. The columns are told by --schema and by the manual's export.md.
            """)

    @Option(name: .long, help: "ndjson or csv.")
    var format = ExportFormat.ndjson

    @Option(name: .long, help: "Requests that began then or later: 7d, 24h, today, 2026-11-01, 2026-11-01T09:30.")
    var since: String?

    @Option(name: .long, help: "Requests that began before, in the same forms.")
    var until: String?

    @Flag(name: .long, help: "Go on with what is settled from now on, until SIGINT or SIGTERM.")
    var follow = false

    @Option(
        name: .long, help: "Where to go on: a file that keeps the place, made if missing, or a place that was printed.")
    var cursor: String?

    @Flag(name: .long, help: "Print the columns with their types, and end.")
    var schema = false

    @OptionGroup var records: RecordsOption

    func run() throws {
        ProcessHardening.ignoreBrokenPipes()
        if schema {
            _ = StandardStream.output.write(format.schema)
            return
        }
        let (path, zone) = try records.place()
        let begin = try since.map { try moment($0, "--since", zone) } ?? 0
        let range = begin..<max(begin, try until.map { try moment($0, "--until", zone) } ?? .max)
        var cursor = try ExportCursor(cursor)
        let signals = follow ? AwaitedSignals() : nil
        var export = try open(path, cursor.place, range)
        var hasReader = cursor.place != .start || StandardStream.output.write(format.head)
        while hasReader {
            let version = try RecordsOption.orFault { try export.version() }
            hasReader = try write(&export, &cursor, signals)
            guard hasReader, let signals, !cursor.isStopped else { break }
            try cursor.save()
            guard try wait(for: &export, version, signals, path, range) else { break }
        }
        try cursor.save()
        if export.isIncomplete {
            Terminal.error("menshen: retention has deleted requests behind that place before they were exported.")
        }
        if !cursor.hasFile { Terminal.error("cursor \(cursor.place)") }
    }

    /// All that there is. False: nobody reads it any more.
    private func write(
        _ export: inout RecordExport, _ cursor: inout ExportCursor, _ signals: AwaitedSignals?
    ) throws -> Bool {
        var lines: [UInt8] = []
        while true {
            lines.removeAll(keepingCapacity: true)
            let hasMore = try RecordsOption.orFault { try export.next(&lines) }
            guard StandardStream.output.write(lines) else { return false }
            try cursor.move(to: export.place)
            if signals?.wait(milliseconds: 0) == true { cursor.isStopped = true }
            if !hasMore || cursor.isStopped { return true }
        }
    }

    /// Until something was written. False: it is to end.
    private func wait(
        for export: inout RecordExport, _ version: Int64, _ signals: AwaitedSignals, _ path: String,
        _ range: Range<Int64>
    ) throws -> Bool {
        while !signals.wait(milliseconds: 250) {
            if !export.isInPlace, let other = try? RecordExport(path, format, from: .start, range: range) {
                Terminal.error("menshen: there is another database now; it is exported from its beginning.")
                export = other
                return true
            }
            if try RecordsOption.orFault({ try export.version() }) != version { return true }
        }
        return false
    }

    private func open(_ path: String, _ place: ExportPlace, _ range: Range<Int64>) throws -> RecordExport {
        try RecordsOption.orFault { try RecordExport(path, format, from: place, range: range) }
    }

    /// In microseconds since 1970.
    private func moment(_ text: String, _ option: String, _ zone: ZoneRules) throws -> Int64 {
        max(0, try RecordsOption.moment(text, option, in: zone)) * 1_000_000
    }
}

extension ExportFormat: ExpressibleByArgument {}

/// The place that an export has reached, and the file that keeps it.
private struct ExportCursor {
    private let file: String?
    private(set) var place = ExportPlace.start
    private var saved: ExportPlace?
    private var savedAt: UInt64 = 0
    var isStopped = false

    init(_ text: String?) throws {
        guard let text else {
            file = nil
            return
        }
        if let place = ExportPlace(text) {
            (file, self.place) = (nil, place)
            return
        }
        file = text
        let kept: [UInt8]
        do throws(SystemError) { kept = try FileReading.bytes(text, limit: 256) } catch {
            guard error.code == FileReading.notFound else { throw Terminal.fault("can't \(error)", code: 66) }
            return
        }
        guard let place = ExportPlace(String(decoding: kept.prefix { $0 != 10 }, as: UTF8.self)) else {
            throw Terminal.fault("\(text) holds no place of an export; give --cursor a file of its own.", code: 65)
        }
        self.place = place
        saved = place
    }

    var hasFile: Bool { file != nil }

    /// What is in front of the place was handed over. The file follows within a second.
    mutating func move(to place: ExportPlace) throws {
        self.place = place
        if Clock.monotonic() > savedAt + 1_000_000 { try save() }
    }

    mutating func save() throws {
        guard let file, place != saved else { return }
        do throws(SystemError) { try FileReplacement.write(file, Array("\(place)\n".utf8)) } catch {
            throw Terminal.fault("can't \(error)", code: 73)
        }
        saved = place
        savedAt = Clock.monotonic()
    }
}
