// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import MenshenCore
internal import MenshenStore
internal import Reactor

/// Tokens that are given out: what an administrator asks for, and how every worker hears of it.
extension Worker {
    /// Has an administrator's act done, and then what every worker has to know of it; `body` runs later, unless the caller leaves
    /// first.
    func administer(
        _ act: TokenAct, by who: Administrator, for exchange: Exchange,
        _ body: @escaping (Result<TokenOutcome, Problem>) -> Void
    ) {
        let id = exchange.id
        let mailbox = context.mailbox
        waiting.awaitAct(PendingAct(body: body), id)
        context.access.perform(act, by: who) { mailbox.post(.administered(id, $0)) }
    }

    func listTokens(for exchange: Exchange, _ body: @escaping (Result<TokenOutcome, Problem>) -> Void) {
        let id = exchange.id
        let mailbox = context.mailbox
        waiting.awaitAct(PendingAct(body: body), id)
        context.access.list { mailbox.post(.listed(id, $0)) }
    }

    /// Has an act recorded that was done elsewhere.
    func record(
        _ act: AdministrativeAct, for exchange: Exchange,
        _ body: @escaping (Result<TokenOutcome, Problem>) -> Void
    ) {
        let id = exchange.id
        let mailbox = context.mailbox
        waiting.awaitAct(PendingAct(body: body), id)
        context.access.record(act) { mailbox.post(.listed(id, $0)) }
    }

    /// It is done, or not. Every worker is told, whether or not anybody waits for that here. Also without a change there may be
    /// news: the file may have been replaced.
    func administered(_ id: RequestID, _ outcome: Result<TokenOutcome, Problem>, isChange: Bool = true) {
        let cut = (try? outcome.get().cut) ?? []
        let isDone = if case .success = outcome { isChange } else { false }
        guard isDone || runtime.tokens.issued !== context.access.tokens else {
            waiting.actCame(outcome, missing: 0, id)?.finish()
            return
        }
        let mailbox = context.mailbox
        let others = context.roster.mailboxes { $0 !== mailbox }
        takeTokens(cutting: cut)
        for other in others { other.post(.tokens(cut: cut, id, for: mailbox)) }
        context.control.post(.tokensChanged)
        // At the end another may have gone already; then nobody judges there any more.
        waiting.actCame(outcome, missing: isDraining ? 0 : others.count, id)?.finish()
    }

    /// Judges by what the store of tokens says now, from the next request on.
    func takeTokens(cutting cut: Set<Digest>) {
        runtime.tokens.issued = context.access.tokens
        if !cut.isEmpty { endRevoked(cutting: cut) }
    }

    func endRevoked(cutting cut: Set<Digest> = []) {
        for connection in Array(connections.values) {
            connection.exchange?.endIfRevoked(runtime.tokens, cutting: cut)
        }
    }
}
