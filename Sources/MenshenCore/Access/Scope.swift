// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a principal may ask for. An empty list allows everything of its kind. Judged in two steps: by the head, and by the
/// model once that is known.
package struct Scope: Sendable, Equatable {
    package static let all = Scope()

    /// Names of providers.
    package var providers: [String] = []
    package var models: [ModelPattern] = []
    package var operations: [Operation] = []
    /// Of paths without the query and a provider's name, in the same form as models.
    package var paths: [ModelPattern] = []

    package init() {}

    /// Nothing is forbidden.
    package var isAll: Bool { self == .all }
}

// MARK: By the head

extension Scope {
    /// Why the head alone forbids the request; nil if it does not.
    func fault(_ outline: RequestOutline) -> ScopeFault? {
        if !paths.isEmpty, !allows(path: outline) { return .path(outline.path) }
        if !operations.isEmpty, !operations.contains(outline.operation) { return .operation(outline.operation) }
        if let named = outline.provider, !allows(provider: named) { return .provider(named) }
        if case .hidden(let place) = duty(outline) { return .hidden(place) }
        return nil
    }

    func allows(provider name: String) -> Bool { providers.isEmpty || providers.contains(name) }

    /// Callers may leave the version out, and menshen puts it there.
    private func allows(path outline: RequestOutline) -> Bool {
        if paths.contains(where: { $0.matches(outline.path) }) { return true }
        guard let full = outline.versionedPath else { return false }
        return paths.contains { $0.matches(full) }
    }
}

// MARK: By the model

extension Scope {
    /// What a list of models asks of a request.
    enum ModelDuty: Equatable {
        /// Nothing: there is no list, or the request asks no model for anything.
        case none
        /// It may name one, which is judged then.
        case ifNamed
        /// It has to name one.
        case named
        /// It is refused: the models that it asks for stand where nobody reads them.
        case hidden(HiddenModel)
    }

    func duty(_ outline: RequestOutline) -> ModelDuty {
        if models.isEmpty { return .none }
        switch outline.manner {
        case .webSocket: return outline.operation == .realtime ? .named : .hidden(.messages)
        case .lookUp: return .ifNamed
        case .call: break
        }
        switch outline.operation {
        case .files: return outline.mayNameModelInPath ? .hidden(.path) : .none
        case .batches: return .hidden(.batch)
        case .realtime, .live: return .hidden(.session)
        case .models: return .hidden(.path)
        // Whoever names it vouches that the body's word decides there.
        case .other: return operations.contains(.other) ? .named : .hidden(.path)
        default: return outline.mayNameModelInPath ? .hidden(.path) : .named
        }
    }

    /// Why a model that the request names is forbidden, or that it names none. `furtherModels`: beside the model it names
    /// others, to be asked in its place.
    func fault(_ outline: RequestOutline, model: String?, furtherModels: Bool) -> ScopeFault? {
        let duty = duty(outline)
        if duty == .none { return nil }
        if furtherModels { return .hidden(.fallbacks) }
        for named in outline.queryModels where !allows(model: named) { return .model(named) }
        if let model { return allows(model: model) ? nil : .model(model) }
        return duty == .named ? .noModel : nil
    }

    /// Why the model is forbidden that the provider is asked for in place of the caller's.
    func fault(_ outline: RequestOutline, model: String?, at provider: Provider) -> ScopeFault? {
        switch duty(outline) {
        case .none: return nil
        case .ifNamed where model == nil: return nil
        default: break
        }
        guard let wanted = provider.replacement(for: model), !allows(model: wanted) else { return nil }
        return .replacement(wanted, of: model, at: provider.name)
    }

    /// Some gateways take several with commas between them.
    func allows(model: String) -> Bool {
        if models.isEmpty { return true }
        guard ByteSearch.occurs(UInt8(ascii: ","), in: model) else { return models.contains { $0.matches(model) } }
        return model.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { part in
            let name = String(part.drop { $0 == " " })
            return models.contains { $0.matches(name) }
        }
    }
}

/// Why a scope forbids a request.
enum ScopeFault: Equatable {
    case path(String)
    case operation(Operation)
    case provider(String)
    case model(String)
    case replacement(String, of: String?, at: String)
    case noModel
    case hidden(HiddenModel)

    /// The further a request came, the more its refusal tells.
    var depth: Int {
        switch self {
        case .path, .operation: 0
        case .provider: 1
        case .noModel, .hidden, .model: 2
        case .replacement: 3
        }
    }
}

/// Where models stand that nobody reads.
enum HiddenModel: Equatable {
    case batch, messages, session, path, fallbacks
}
