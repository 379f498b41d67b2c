// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Compression
internal import HTTP
internal import MenshenCore

/// A chat stream is asked to report its usage, which its caller has not asked for and must not notice: the chunk that
/// comes of it is taken out again, and a provider that refuses the field is asked once more without it.
extension Exchange {
    enum AddedUsage {
        case notAdded
        case added
        /// The present provider has refused a request that had it, and is asked without.
        case withdrawn
    }

    /// Whether the present attempt adds it. A provider that may still refuse it gets the body a second time.
    func addsUsage(_ index: Int, _ provider: Provider) -> Bool {
        guard provider.includeUsage, usageSplice != nil, addedUsage != .withdrawn else { return false }
        return !runtime.states[index].refusesUsage(of: askedModel ?? facts.model)
    }

    /// The head of an answer is there: is it a refusal that the field may have caused?
    func isRefusalOfAddedUsage(_ status: Int) -> Bool {
        addedUsage == .added && (status == 400 || status == 422) && isBodyComplete && !body.isEmpty
    }

    /// The refusal has ended, and is nobody's to read: it speaks of a field that the caller did not send.
    func askWithoutUsage() {
        addedUsage = .withdrawn
        wait(.nothing)
        do throws(Problem) { try dialTry() } catch { giveUp(error) }
    }

    /// An answer that is the caller's has begun.
    func rememberRefusedUsage() {
        // Another refusal, 429 or 500, says nothing of the field.
        guard addedUsage == .withdrawn, let index = providerIndex, let status, 200..<300 ~= status else { return }
        runtime.states[index].refuseUsage(of: askedModel ?? facts.model)
    }

    /// The answer will be shorter than its length says.
    func isFiltered(_ head: ResponseHead) -> Bool {
        guard filter != nil, head.status == 200 else { return false }
        let isPlain = head.first(.contentEncoding).map { ContentCoding(fieldValue: $0.utf8) == .identity } ?? true
        // Streams are known without their content type, too.
        return isPlain && head.first(.contentType)?.lowercased().contains("json") != true
    }
}
