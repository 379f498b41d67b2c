// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

extension Dimension {
    /// As a heading says it.
    var title: String {
        switch self {
        case .model: "Model"
        case .provider: "Provider"
        case .caller: "Caller"
        case .token: "Token"
        case .user: "User"
        case .program: "Executable"
        case .unit: "Unit"
        case .client: "Program"
        case .session: "Session"
        case .agent: "Agent"
        case .job: "Job"
        case .project: "Project"
        case .operation: "Operation"
        case .status: "Status"
        case .outcome: "Outcome"
        case .endUser: "End user"
        }
    }

    var plural: String { self == .status ? "Statuses" : title + "s" }

    /// What stands where requests have no value.
    var noneText: String {
        switch self {
        case .model: "none named"
        case .provider: "none"
        case .caller, .token: "no token"
        case .status: "no answer"
        default: "not known"
        }
    }

    /// `complete` as "complete", `client_gone` as "client gone"; names stay as they are.
    func shown(_ value: String) -> String {
        switch self {
        case .outcome: value.split(separator: "_").joined(separator: " ")
        case .caller where value.hasPrefix("uid:"): "uid " + value.dropFirst(4)
        case .user: "uid " + value
        default: value
        }
    }

    /// The segments of a usage page; the others stand under "More".
    static let common: [Dimension] = [.model, .provider, .caller, .client, .project, .session, .operation, .status]
    static let rare: [Dimension] = allCases.filter { !common.contains($0) }
}
