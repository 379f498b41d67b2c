// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenDaemon
internal import MenshenDashboard

struct DashboardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dashboard",
        abstract: "Open the dashboard in a browser of yours, with forms for tokens and the cache.",
        discussion: """
            Prints a link that works once, for two minutes, and opens it if there is a display. The session is for that browser, \
            on this machine, and ends with this command: Ctrl-C, or the end of its terminal. It needs no password and no TCP \
            address in the configuration.
            """)

    /// Microseconds between looks whether the terminal is still there.
    private static let look: UInt64 = 2_000_000

    @Option(name: .long, help: "Port of 127.0.0.1 to listen on (default: any free one).")
    var port: UInt16 = 0

    @Flag(name: .long, help: "Print the link, and open nothing.")
    var noOpen = false

    @OptionGroup var running: RunningMenshen

    func validate() throws {
        if port != 0, port < 1024 { throw ValidationError("--port takes a number from 1024 to 65535.") }
    }

    func run() throws {
        // Whoever is not there, or would not answer, is told of here and not in the browser.
        _ = try running.ask { try AdminClient.status(socket: $0, as: "application/json") }
        let path = try running.daemon.path()
        let session: PrivateSession
        do {
            session = try PrivateSession(port: port, socket: path, advice: try running.advice(path))
        } catch let error as ListenError {
            throw Terminal.fault("\(error)", code: 78)
        }
        let endsWithTerminal = ControllingTerminal.isThere && !ControllingTerminal.isHangupIgnored
        ProcessSignal.endOnInterrupt()
        // They end with the process, whatever they are waiting for.
        _ = try session.start()
        announce(session)
        var isAnnounced = false
        while !session.isForgotten, !endsWithTerminal || ControllingTerminal.isThere {
            session.wait(Self.look)
            if session.isOpened, !isAnnounced {
                isAnnounced = true
                Terminal.error("The session is open. It ends with this command: Ctrl-C.")
            }
        }
        if session.isForgotten {
            throw Terminal.fault(
                "nobody has opened the link within two minutes. Get another: 'menshen dashboard'", code: 1)
        }
    }

    private func announce(_ session: PrivateSession) {
        Terminal.print(session.link)
        Terminal.error(
            "Open it within two minutes, in a browser on this machine. It works once; nobody else may see it.")
        let hasDisplay = ["WAYLAND_DISPLAY", "DISPLAY"].contains { Environment.value($0)?.isEmpty == false }
        // The browser's command line is seen by other users; without the check of who connects they could use it.
        if !session.knowsPeers {
            Terminal.error(
                "/proc/net/tcp cannot be read here, so another user of this machine who sees the link could use it.")
        } else if hasDisplay, !noOpen {
            _ = Program.startApart(["xdg-open", session.link])
        }
    }
}
