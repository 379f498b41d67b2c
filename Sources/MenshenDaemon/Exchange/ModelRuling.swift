// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// A rule that cannot be applied without the request's model.
struct ModelRuling {
    /// It is about the caller, and not about which provider gets the request.
    let isOfCaller: Bool
    private let dependence: String

    /// How much of a model may be used.
    static let limits = ModelRuling(isOfCaller: false, "How much may be used depends on it (see [[limits.models]]).")

    private init(isOfCaller: Bool, _ dependence: String) {
        self.isOfCaller = isOfCaller
        self.dependence = dependence
    }

    init(_ provider: Provider) {
        isOfCaller = false
        dependence =
            "Which provider gets the request depends on it (see models, model and aliases of '\(provider.name)')."
    }

    init(_ holder: PolicyDenial.Holder) {
        isOfCaller = true
        dependence = "Whether it is allowed depends on it (see the models of \(holder))."
    }

    func problem(_ fault: ModelFault, isCoded: Bool) -> Problem {
        Problem(
            isCoded ? .forbiddenContentType : .malformedRequest, status: isCoded ? 415 : 400,
            "The model cannot be read: \(fault.rawValue). \(dependence)")
    }
}
