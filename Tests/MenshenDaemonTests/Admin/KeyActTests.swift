// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// Where the word of a command goes that has changed a key.
struct KeyActTests {
    @Test func `where nobody answers it goes to the journal, and where nobody listens there it is lost`() throws {
        let directory = try TemporaryDirectory()
        let journal = try ManagerSocket(directory.path("journal"))
        let act = KeyAct(.remove, "openai")
        AdminClient.record(act, socket: directory.path("none"), journal: journal.path)
        let entry = try journal.wait(for: "MENSHEN_ACT=key remove", orUntil: -1)
        for line in [
            "MESSAGE_ID=3b3f2ed6c673415fbe1d2d3323e9af88", "MENSHEN_ACT=key remove", "MENSHEN_TARGET=openai",
            "MENSHEN_OUTCOME=done", "SYSLOG_IDENTIFIER=menshen",
        ] { #expect(entry.contains(line + "\n"), "\(line) in \(entry)") }
        AdminClient.record(act, socket: nil, journal: directory.path("none"))
    }

    @Test func `a menshen that knows the provider takes it, and another's goes to the journal`() throws {
        try Stage.run { _ in
        } _: { stage throws in
            let journal = try ManagerSocket(stage.directory.path("journal"))
            AdminClient.record(KeyAct(.set, "openai"), socket: stage.daemon.socketPath, journal: journal.path)
            AdminClient.record(KeyAct(.set, "other"), socket: stage.daemon.socketPath, journal: journal.path)
            let entry = try journal.wait(for: "MENSHEN_ACT=key set", orUntil: -1)
            #expect(entry.contains("MENSHEN_TARGET=other\n"))
            #expect(stage.daemon.log.contains("key set 'openai' by uid"))
        }
    }

    @Test func `a body says what its reader reads`() throws {
        for verb in KeyAct.Verb.allCases {
            let act = KeyAct(verb, "a \"b\"")
            #expect(try KeyAct(act.body, providers: ["c", "a \"b\""]) == act)
        }
    }
}
