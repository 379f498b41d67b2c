// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Version 1, which is only read: without client, job, project and rule.
struct IntentCoding1: IntentCoding {
    let magic = Array("mnshint1".utf8)
    let maximumBytes = IntentSlots.maximumBytes

    func leftovers(_ content: UnsafeRawBufferPointer) -> [AuditIntent] {
        IntentSlots.leftovers(content) { Self.read(&$0) }
    }

    private static func read(_ slot: inout SlotReader) -> (number: Int64, intent: AuditIntent)? {
        guard let number = slot.take(Int64.self), number > 0, let id = slot.take(Int64.self), id > 0, id < .max,
            let uid = slot.take(Int64.self), let pid = slot.take(Int64.self), let stream = slot.take(UInt8.self),
            let address = slot.text(), let executable = slot.text(), let unit = slot.text(),
            let tokenName = slot.text(), let method = slot.text(), let path = slot.text(), let dialect = slot.text(),
            let operation = slot.text(), let provider = slot.text(), let model = slot.text(),
            slot.take(Int64.self) == number
        else { return nil }
        let caller = CallerRecord(
            uid: UInt32(exactly: uid), pid: pid < 0 ? nil : Int32(exactly: pid), executable: executable, unit: unit,
            address: address ?? "")
        let intent = AuditIntent(
            id: RequestID(rawValue: id), caller: caller, tokenName: tokenName, method: method ?? "", path: path ?? "",
            dialect: dialect.flatMap(Dialect.init(rawValue:)) ?? .common,
            operation: operation.flatMap(Operation.init(rawValue:)) ?? .other, provider: provider, model: model,
            isStream: stream == 2 ? nil : stream == 1)
        return (number, intent)
    }
}
