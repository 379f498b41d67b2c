// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import MenshenCore
internal import MenshenDaemon

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve callers until told to stop.",
        discussion: """
            Listens on what systemd hands over, on --socket and on every address of 'listen' and --listen. Without any of \
            these it listens on $XDG_RUNTIME_DIR/menshen/menshen.sock. SIGHUP reloads, SIGTERM finishes what is under way.
            """)

    @OptionGroup var configuration: ConfigurationOption

    @Option(name: .long, help: "Unix socket to create, 0600 in a 0700 directory.")
    var socket: String?

    @Option(
        name: .long, help: "TCP address to listen on besides the configuration's; ':8080' is loopback. Repeatable.",
        transform: Self.address)
    var listen: [ListenAddress] = []

    @Flag(name: .long, help: "Allow an address that other machines can reach. Authentication must be on.")
    var unsafeListen = false

    @Flag(name: .long, help: .hidden)
    var onlyListen = false

    func run() throws {
        var options = ServeOptions()
        options.configurationPath = configuration.config
        options.socketPath = socket
        options.unsafeListen = unsafeListen
        options.replacesListen = onlyListen && !listen.isEmpty
        options.listen = listen
        throw ExitCode(Daemon(options).run())
    }

    private static func address(_ text: String) throws -> ListenAddress {
        guard let address = ListenAddress(text) else {
            throw ValidationError("Write ':8080', '127.0.0.1:8080' or '[::1]:8080'.")
        }
        return address
    }
}
