// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// A provider that follows a script, a menshen in front of it, and callers.
package final class Stage {
    /// What differs from a menshen with one provider, called "openai", on a Unix socket.
    package struct Setting: Sendable {
        package var hasTCP = false
        /// The provider is reached over a Unix socket.
        package var upstreamOnUnix = false
        /// See `FakeUpstream`.
        package var readsBody = true
        package var kind = "openai"
        /// Follows the address of the provider.
        package var basePath = "/v1"
        /// Where the key comes from, in place of the usual key in the text.
        package var key = "api_key = \"\(Stage.key)\""
        /// Further lines of the provider; "UPSTREAM" stands for its address, here and in the tables.
        package var provider = ""
        /// Lines before all tables.
        package var top = ""
        /// Further tables.
        package var tables = ""
        package var authentication = "token = \"\(Stage.token)\""
        package var daemon = DaemonUnderTest.Options()

        /// In place of the provider's real address.
        package var baseURL: String?
        /// In place of that one provider: each its own lines, "UPSTREAM" as above. See `Stage.provider`.
        package var providers: [String]?

        package init() {}

        package static func with(_ change: (inout Setting) -> Void) -> Setting {
            var setting = Setting()
            change(&setting)
            return setting
        }
    }

    /// The daemon under test leaves plain HTTP to libcurl, too.
    package static var hasLibcurl: Bool { getenv("MENSHEN_HTTP").map { String(cString: $0) } == "libcurl" }
    package static let key = "sk-real-4f1c9a7e"
    package static let token = "menshen-token-1"
    /// Under `[auth]`: the token, and a password to sign in by.
    package static let password = "token = \"\(token)\"\nuser = \"admin\"\npassword = \"open sesame\""

    package let upstream: FakeUpstream
    package let daemon: DaemonUnderTest
    package let directory: TemporaryDirectory

    private init(_ setting: Setting, _ script: @escaping FakeUpstream.Script, _ directory: TemporaryDirectory) throws {
        self.directory = directory
        upstream = try FakeUpstream(
            setting.upstreamOnUnix ? .unix(directory.path("upstream.sock")) : .tcp, readsBody: setting.readsBody, script
        )
        var options = setting.daemon
        options.hasTCP = setting.hasTCP
        do {
            daemon = try DaemonUnderTest(Self.configuration(setting, upstream), options, in: directory)
        } catch {
            try? upstream.stop()
            throw error
        }
    }

    package static func configuration(_ setting: Setting, _ upstream: FakeUpstream) -> String {
        let one = """
            name = "\(setting.kind)"
            kind = "\(setting.kind)"
            base_url = "\(setting.baseURL ?? upstream.baseURL)\(setting.basePath)"
            \(setting.key)
            \(setting.provider)
            """
        let providers = (setting.providers ?? [one]).map { "[[providers]]\n\($0)\n" }.joined(separator: "\n")
        return """
            \(setting.top)
            [auth]
            \(setting.authentication)

            \(setting.tables)

            \(providers)
            """.replacing("UPSTREAM", with: upstream.baseURL)
    }

    /// Lines of a provider whose requests come to the script with its name before their path, and "key-NAME" as their key
    /// unless `more` says otherwise. The one with `leads` is drawn before the others but for once in a million.
    package static func provider(
        _ name: String, kind: String = "openai", leads: Bool = false, base: String = "UPSTREAM", path: String = "/v1",
        _ more: String = ""
    ) -> String {
        """
        name = "\(name)"
        kind = "\(kind)"
        base_url = "\(base)/\(name)\(path)"
        weight = \(leads ? 1_000_000 : 1)
        \(more.contains("api_key") ? "" : "api_key = \"key-\(name)\"")
        \(more)
        """
    }

    /// Sets the stage, has `act` play on it, and clears it. Failures of the provider's script count after those of `act`.
    package static func run(
        _ setting: Setting = Setting(), in directory: TemporaryDirectory? = nil,
        upstream script: @escaping FakeUpstream.Script,
        _ act: (Stage) throws -> Void
    ) throws {
        let stage = try Stage(setting, script, try directory ?? TemporaryDirectory())
        defer { stage.daemon.process.send(SIGKILL) }
        do { try act(stage) } catch {
            let log = stage.daemon.log
            do { try stage.upstream.stop() } catch let second { throw TestFailure("\(error); \(second)\n\(log)") }
            throw TestFailure("\(error)\n\(log)")
        }
        try stage.upstream.stop()
    }

    /// A caller on the Unix socket.
    package func caller() throws -> RawClient { try RawClient(unix: daemon.socketPath) }

    /// A caller on TCP.
    package func tcpCaller() throws -> RawClient { try RawClient(tcp: daemon.port) }

    /// One request on a connection of its own over the Unix socket.
    package func ask(
        _ method: String = "GET", _ target: String = "/v1/models", _ fields: [String] = [], body: String? = nil
    ) throws -> Answer {
        let caller = try caller()
        try caller.request(method, target, fields, body: body)
        return try caller.answer(to: method)
    }

    /// The same over TCP, with the token if no other field is given.
    package func askTCP(
        _ method: String = "GET", _ target: String = "/v1/models",
        _ fields: [String] = ["Authorization: Bearer \(token)"],
        body: String? = nil
    ) throws -> Answer {
        let caller = try tcpCaller()
        try caller.request(method, target, fields, body: body)
        return try caller.answer(to: method)
    }

    /// Stops the daemon; its records are final then.
    package func records() throws -> [RequestRow] {
        _ = try daemon.stop()
        return try daemon.rows()
    }
}
