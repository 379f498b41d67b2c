// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Version 2: all that is known at the beginning.
struct IntentCoding2: IntentCoding {
    static let magic = Array("mnshint2".utf8)

    var magic: [UInt8] { Self.magic }
    let maximumBytes = IntentSlots.maximumBytes

    /// False if it does not fit.
    static func write(_ intent: AuditIntent, number: Int, to slot: inout SlotWriter) -> Bool {
        slot.put(Int64(number))
        slot.put(intent.id.rawValue)
        slot.put(Int64(intent.caller.uid.map(Int64.init) ?? -1))
        slot.put(Int64(intent.caller.pid.map(Int64.init) ?? -1))
        slot.put(UInt8(intent.isStream.map { $0 ? 1 : 0 } ?? 2))
        slot.put(intent.caller.address)
        slot.put(intent.caller.executable)
        slot.put(intent.caller.unit)
        slot.put(intent.caller.job)
        slot.put(intent.caller.project?.text)
        slot.put(intent.tokenName)
        slot.put(intent.rule)
        slot.put(intent.method)
        slot.put(intent.path)
        slot.put(intent.dialect.rawValue)
        slot.put(intent.operation.rawValue)
        slot.put(intent.provider)
        slot.put(intent.model)
        slot.put(intent.client.client)
        slot.put(intent.client.session)
        slot.put(intent.client.agent)
        slot.put(Int64(number))
        return slot.fits
    }

    func leftovers(_ content: UnsafeRawBufferPointer) -> [AuditIntent] {
        IntentSlots.leftovers(content) { Self.read(&$0) }
    }

    private static func read(_ slot: inout SlotReader) -> (number: Int64, intent: AuditIntent)? {
        guard let number = slot.take(Int64.self), number > 0, let id = slot.take(Int64.self), id > 0, id < .max,
            let uid = slot.take(Int64.self), let pid = slot.take(Int64.self), let stream = slot.take(UInt8.self),
            let address = slot.text(), let executable = slot.text(), let unit = slot.text(), let job = slot.text(),
            let project = slot.text(), let tokenName = slot.text(), let rule = slot.text(), let method = slot.text(),
            let path = slot.text(), let dialect = slot.text(), let operation = slot.text(),
            let provider = slot.text(), let model = slot.text(), let client = slot.text(), let session = slot.text(),
            let agent = slot.text(), slot.take(Int64.self) == number
        else { return nil }
        let caller = CallerRecord(
            uid: UInt32(exactly: uid), pid: pid < 0 ? nil : Int32(exactly: pid), executable: executable, unit: unit,
            job: job, project: project, address: address ?? "")
        let intent = AuditIntent(
            id: RequestID(rawValue: id), caller: caller, tokenName: tokenName, method: method ?? "", path: path ?? "",
            dialect: dialect.flatMap(Dialect.init(rawValue:)) ?? .common,
            operation: operation.flatMap(Operation.init(rawValue:)) ?? .other, provider: provider, model: model,
            isStream: stream == 2 ? nil : stream == 1,
            client: ClientFacts(client: client, session: session, agent: agent), rule: rule)
        return (number, intent)
    }
}
