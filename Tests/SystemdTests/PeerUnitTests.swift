// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Systemd
import Testing

@Suite struct PeerUnitTests {
    private func unified(_ path: String) -> PeerUnit? { PeerUnit(cgroup: "0::\(path)\n") }

    @Test(arguments: [
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/agent.service", "agent.service"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/app-a.slice/run-r1.scope", "run-r1.scope"),
        ("/user.slice/user-1000.slice/user@1000.service/init.scope", "init.scope"),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope"),
        ("/system.slice/cron.service", "cron.service"),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
        ("/init.scope", "init.scope"),
        ("/system.slice/_notify.service", "notify.service"),
    ])
    func `the innermost unit that systemd made is named`(path: String, name: String) {
        #expect(unified(path)?.name == name)
    }

    @Test func `the user's unit and the system's are told apart`() {
        let unit = unified("/user.slice/user-1000.slice/user@1000.service/app.slice/agent.service/payload")
        #expect(unit?.system == "user@1000.service")
        #expect(unit?.user == "agent.service")
        #expect(unified("/user.slice/user-1000.slice/session-3.scope")?.user == nil)
    }

    @Test func `a container cannot give itself the name of a unit`() {
        let path = "/system.slice/docker-0123.scope/system.slice/trusted.service"
        #expect(unified(path)?.name == "docker-0123.scope")
        let nested = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-1.scope/container/x.service"
        #expect(unified(nested)?.name == "libpod-1.scope")
    }

    @Test func `systemd's own hierarchy counts where there are two`() {
        let text = "3:cpu:/docker/1\n1:name=systemd:/user.slice/user-1.slice/session-1.scope\n0::/\n"
        #expect(PeerUnit(cgroup: text)?.name == "session-1.scope")
    }

    @Test func `the unified hierarchy counts where systemd's own one is empty`() {
        let text = "9:name=systemd:/\n1:cpu:/\n0::/user.slice/user-1.slice/user@1.service/app.slice/a.service\n"
        #expect(PeerUnit(cgroup: text)?.name == "a.service")
    }

    @Test(arguments: [
        "", "0::/", "1:name=systemd:/\n0::/", "0::/docker/0123", "0::/../../x.service", "0::/.service", "x", "0::",
        "1:cpu:/a.service",
    ])
    func `no unit is made up`(text: String) { #expect(PeerUnit(cgroup: text) == nil) }
}
