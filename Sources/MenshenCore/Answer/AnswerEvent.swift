// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

extension AnswerObserver {
    /// Values of the present event, which may name its type last.
    struct Event: Sendable {
        var type: String?
        var usage: [UInt8]?
        var firstUsage: [UInt8]?
        var sideUsage: [UInt8]?
        var finishReason: String?
        var incompleteReason: String?
        var choiceIndex: Int64?
        var hasChoiceEnded = false
        var status: String?
        var hasError = false
        var errorType: String?
        var errorCode: String?
    }

    mutating func takeFindings() {
        if scanner.found.isEmpty { return }
        for finding in scanner.found {
            switch format.fields[finding.path] {
            case .type: event.type = Self.text(finding)
            case .id: responseID = Self.text(finding, before: responseID)
            case .model: model = Self.text(finding, before: model)
            case .serviceTier: reports.namedTier = Self.text(finding, before: reports.namedTier)
            case .finishReason:
                guard let reason = reason(finding) else { break }
                event.finishReason = reason
                event.hasChoiceEnded = true
            case .blockReason:
                guard let reason = reason(finding) else { break }
                event.finishReason = reason
                isBlocked = true
            case .choiceIndex: event.choiceIndex = finding.count
            case .choice:
                choices.see(event.choiceIndex ?? 0, hasEnded: event.hasChoiceEnded)
                event.choiceIndex = nil
                event.hasChoiceEnded = false
            case .usage: if finding.kind == .object, finding.isWhole { event.usage = finding.text }
            case .firstUsage: if finding.kind == .object, finding.isWhole { event.firstUsage = finding.text }
            case .sideUsage: if finding.kind == .object, finding.isWhole { event.sideUsage = finding.text }
            case .sequenceNumber: sequenceNumber = finding.count ?? sequenceNumber
            case .status: event.status = Self.text(finding)
            case .incompleteReason: event.incompleteReason = Self.text(finding)
            case .error: event.hasError = Self.isError(finding)
            case .errorType: event.errorType = Self.text(finding)
            case .errorCode: event.errorCode = Self.text(finding, before: event.errorCode)
            case .element:
                isArray = true
                takeEvent()
                event = Event()
            case .list:
                guard finding.kind == .array, ending == .open, hasFinished else { break }
                ending = .complete
                isOver = true
            }
        }
        scanner.found.removeAll(keepingCapacity: true)
    }

    /// An empty text says nothing, wherever it stands; then what was said before holds. What is said again is not made
    /// again: each chunk names its model.
    private static func text(_ finding: JSONFinding, before: String? = nil) -> String? {
        guard finding.kind == .string, !finding.text.isEmpty else { return before }
        if let before, case let text = before.utf8.span, text.holds(finding.text, in: text.indices) { return before }
        return finding.string ?? before
    }

    private func reason(_ finding: JSONFinding) -> String? {
        guard let text = Self.text(finding) else { return nil }
        if let empty = format.stream.emptyReason, text.hasSuffix(empty) { return nil }
        return text
    }

    /// Some servers have the field in every event, with nothing in it.
    private static func isError(_ finding: JSONFinding) -> Bool {
        switch finding.kind {
        case .object: !finding.isEmpty
        case .string: !finding.text.isEmpty || !finding.isWhole
        case .number, .true, .false, .null, .array: false
        }
    }

    /// What an event, an element of an array, or a whole body said.
    mutating func takeEvent() {
        if let first = event.firstUsage { reports.add(first, format.usage) }
        if let usage = event.usage { reports.add(usage, format.usage) }
        if let side = event.sideUsage { reports.addSide(side) }
        finishReason = event.finishReason ?? event.incompleteReason ?? finishReason
        if event.type != nil { isTyped = true }
        if let failure {
            fail(failure)
        } else {
            if !isPreamble { hasContent = true }
            if isLast {
                if ending == .open { ending = .complete }
                isOver = true
            } else if let end = format.stream.end, isStream, ending == .open, event.type == end {
                ending = .complete
            }
        }
    }

    mutating func fail(_ code: String) {
        if ending == .open { ending = .failed(code) }
        if isStream, !format.stream.goesOnAfterError { isOver = true }
    }

    /// Type or code of the error that the event is.
    private var failure: String? {
        guard isFailure else { return nil }
        return event.errorCode ?? event.errorType ?? "error"
    }

    private var isFailure: Bool {
        if format.stream.failsByMember && event.hasError || event.status == "failed" { return true }
        guard let type = event.type else { return false }
        return format.stream.errors.contains(type)
    }

    /// Providers send these before they know whether they will answer.
    private var isPreamble: Bool {
        guard let type = event.type else { return false }
        return format.stream.preamble.contains(type)
    }

    private var isLast: Bool {
        guard isStream else { return false }
        if format.stream.endsBySideUsage, event.sideUsage != nil { return true }
        guard let type = event.type else { return false }
        // Its count comes behind the end.
        if format.stream.end != nil, ending != .complete { return false }
        if format.stream.last.contains(type) { return true }
        guard let suffix = format.stream.lastSuffix else { return false }
        return type.hasSuffix(suffix)
    }
}
