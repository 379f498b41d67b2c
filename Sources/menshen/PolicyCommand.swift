// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon
internal import MenshenStore

struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Say who may ask for what.", subcommands: [PolicyTest.self])
}

struct PolicyTest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Say whether a request would be allowed, and why, step by step; exit code 1 if not. Nothing is sent.",
        discussion: """
            Goes by [[callers]] of the configuration file, and by what the running menshen, or else its file, knows of the \
            token. With --user the request comes over the Unix socket, with --token alone over TCP, with neither from you.
            """)

    @Option(name: .long, help: "Who asks: a user's name or number.")
    var user: String?

    @Option(name: .long, help: "A group of the caller's, beside those that it has on this machine.")
    var group: [String] = []

    @Option(name: .long, help: "Name of the token that it shows.")
    var token: String?

    @Option(name: .long, help: "Systemd unit that it runs in.")
    var unit: String?

    @Option(name: .long, help: "Path of the program that asks.")
    var program: String?

    @Option(name: .long, help: "Job of Slurm that it runs in, with its step: 4711.0.")
    var job: String?

    @Option(name: .long, help: "Root of the repository that it works in.")
    var project: String?

    @Option(name: .long, help: "Model of the request.")
    var model: String?

    @Option(name: .long, help: "Path of the request.")
    var path = "/v1/chat/completions"

    @Option(name: .long, help: "Method of the request.", transform: Self.method)
    var method = "POST"

    @Option(name: .long, help: "Provider that the path names.")
    var provider: String?

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup var daemon: DaemonOption
    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let loaded = try configuration.load(configuration.path())
        if let provider, !loaded.providers.contains(where: { $0.name == provider }) {
            Self.exit(withError: ValidationError("There is no provider '\(provider)' in the configuration."))
        }
        let known = try token.map { try knowledge($0, loaded) }
        var question = PolicyExplanation.Question(try caller(), known)
        question.path = (provider.map { "/" + $0 } ?? "") + path
        question.method = method
        question.model = model
        guard let explanation = PolicyExplanation(loaded, question) else {
            Self.exit(
                withError: ValidationError(
                    "'\(path)' is not forwarded: a path begins with \"/\" and has no '.' or '..' segment"))
        }
        Terminal.write(json ? explanation.json : explanation.text)
        if let token, known?.words == nil {
            Terminal.error(
                "menshen: no token '\(token)' is known here, so only the rules are judged. 'menshen token list' shows the names."
            )
        }
        if !explanation.isAllowed { throw ExitCode(1) }
    }

    /// Of the running menshen, or where nobody answers of the file that it would read.
    private func knowledge(_ name: String, _ loaded: Configuration) throws -> TokenKnowledge {
        do {
            let database = try loaded.storage.path ?? StandardPaths.database()
            return try TokenLookup.find(
                name, loaded, socket: try? daemon.path(), accessFile: AccessStore.path(besides: database))
        } catch {
            throw Terminal.fault("the token '\(name)' cannot be judged: \(error)", code: 69)
        }
    }

    private func caller() throws -> CallerRecord {
        let extra = try group.map(Self.group)
        if user == nil, token != nil {
            return CallerRecord(uid: nil, pid: nil, executable: nil, unit: nil, address: "127.0.0.1:1")
        }
        let account = try account()
        return CallerRecord(
            uid: account.uid, pid: nil, gid: account.gid, groups: account.groups + extra, executable: program,
            unit: unit, job: job, project: project, address: "unix")
    }

    /// A number may be nobody's.
    private func account() throws -> (uid: UInt32, gid: UInt32?, groups: [UInt32]) {
        let number = user.map { UInt32($0) } ?? PeerIdentity.ownUID
        do {
            let found = if let number { try Accounts.user(number) } else { try Accounts.user(user ?? "") }
            if let found { return (found.uid, found.gid, found.groups) }
        } catch {
            throw Terminal.fault("\(error)", code: 69)
        }
        guard let number else {
            Self.exit(
                withError: ValidationError("This machine knows no user '\(user ?? "")'; a number will do as well."))
        }
        return (number, nil, [])
    }

    private static func group(_ text: String) throws -> UInt32 {
        if let number = UInt32(text) { return number }
        let found: UInt32?
        do { found = try Accounts.group(text) } catch { throw Terminal.fault("\(error)", code: 69) }
        guard let found else {
            exit(withError: ValidationError("This machine knows no group '\(text)'; a number will do as well."))
        }
        return found
    }

    private static func method(_ text: String) throws -> String {
        let method = text.uppercased()
        guard PolicyExplanation.Question.methods.contains(method) else {
            throw ValidationError("Write one of \(PolicyExplanation.Question.methods.joined(separator: ", ")).")
        }
        return method
    }
}
