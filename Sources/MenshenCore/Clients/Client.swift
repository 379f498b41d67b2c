// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// A program that says in the head of its requests what it is, and of which conversation and agent of its own they are.
/// All of it is said unasked, and by anybody who likes: good for records, and for no decision.
struct Client: Sendable {
    /// What records call it.
    let name: String
    /// What its User-Agent begins with, in small letters.
    let products: [[UInt8]]
    /// It asks through an SDK and leaves that one's User-Agent: then its `originator`, or a field that only it sends, tells.
    let originator: [UInt8]?
    let mark: ClientField?
    /// Where it says which conversation a request is of, the best place first.
    let sessions: [ClientField]
    let agent: ClientField?

    /// Programs before the SDKs that they may be made with.
    static let list: [Client] = [
        Client("claude-code", ["claude"], mark: .claudeSession, sessions: [.claudeSession], agent: .claudeAgent),
        Client("codex", ["codex"], sessions: [.session], agent: .thread),
        Client("copilot-vscode", ["githubcopilotchat/"], sessions: [.interaction]),
        Client("copilot-cli", ["copilot/"], sessions: [.clientSession]),
        Client("kilo-code", ["kilo-code/"], originator: "kilo-code", mark: .kiloTask, sessions: [.kiloTask]),
        Client("roo-code", ["roo-code/", "roocode/"], originator: "roo-code"),
        Client("mux", ["mux/"], mark: .muxWorkspace, sessions: [.muxWorkspace]),
        Client("opencode", ["opencode/"], sessions: [.openCodeSession, .sessionOfAny]),
        Client("qwen-code", ["qwencode/", "qwen-code/"], mark: .qwenSession, sessions: [.qwenSession]),
        Client("cursor", ["cursor/"], mark: .cursorVersion),
        Client("gemini-cli", ["geminicli/", "geminicli-"]),
        Client("zed", ["zed/"]),
        Client("crush", ["charm crush/", "charm-crush/"]),
        Client("cline", ["cline/"]),
        Client("openai-python", ["openai/python", "asyncopenai/python", "azureopenai/", "asyncazureopenai/"]),
        Client("openai-js", ["openai/js"]),
        Client("openai-go", ["openai/go"]),
        Client("openai-java", ["openai/java"]),
        Client("anthropic-python", ["anthropic/python", "asyncanthropic/python"]),
        Client("anthropic-js", ["anthropic/js"]),
        Client("anthropic-go", ["anthropic/go"]),
        Client("anthropic-java", ["anthropic/java"]),
        Client("google-genai", ["google-genai-sdk/"]),
        Client("ai-sdk", ["ai/", "ai-sdk/"]),
        Client("litellm", ["litellm/"]),
    ]

    private init(
        _ name: String, _ products: [String], originator: String? = nil, mark: ClientField? = nil,
        sessions: [ClientField] = [], agent: ClientField? = nil
    ) {
        self.name = name
        self.products = products.map { Array($0.utf8) }
        self.originator = originator.map { Array($0.utf8) }
        self.mark = mark
        self.sessions = sessions
        self.agent = agent
    }

    /// By what their User-Agents begin with, under the first byte of that.
    private static let byLetter: [[(product: [UInt8], client: Client)]] = {
        var table = [[(product: [UInt8], client: Client)]](repeating: [], count: 128)
        for client in list { for product in client.products { table[Int(product[0])].append((product, client)) } }
        return table
    }()

    /// Whose User-Agent that is.
    static func of(userAgent range: Range<Int>, _ bytes: borrowing Span<UInt8>) -> Client? {
        guard let first = range.first.map({ bytes[$0].lowercased }), first < 128 else { return nil }
        for (product, client) in byLetter[Int(first)]
        where product.count <= range.count
            && bytes.equals(product, in: range.lowerBound..<range.lowerBound + product.count)
        { return client }
        return nil
    }
}

/// Fields in which clients say who they are, of whatever conversation.
enum ClientField: String, CaseIterable {
    case originator
    /// Codex; with an underscore in older ones.
    case session = "session-id"
    case thread = "thread-id"
    case sessionOfAny = "x-session-id"
    case claudeSession = "x-claude-code-session-id"
    case claudeAgent = "x-claude-code-agent-id"
    case interaction = "x-interaction-id"
    case clientSession = "x-client-session-id"
    case kiloTask = "x-kilocode-taskid"
    case muxWorkspace = "x-mux-workspace-id"
    case openCodeSession = "x-opencode-session"
    case qwenSession = "x-qwen-code-session-id"
    case cursorVersion = "x-cursor-client-version"

    private static let table = NameTable(allCases.map(\.rawValue))
    private static let all = allCases

    init?(_ field: RequestHead.Field, of bytes: borrowing Span<UInt8>) {
        guard let place = Self.table.place(of: bytes, in: field.name) else { return nil }
        self = Self.all[place]
    }
}
