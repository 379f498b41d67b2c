// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// What the head tells of a request, as policy sees it.
package struct RequestOutline: Sendable {
    package enum Manner: Sendable {
        /// Something stored is fetched, listed or taken away, or work is called off.
        case lookUp
        case call
        case webSocket
    }

    /// As providers understand it, without the query and a provider's name.
    let path: String
    let operation: Operation
    /// Named by the path.
    let provider: String?
    let manner: Manner
    /// What a plain request's query names.
    let queryModels: [String]
    /// The path has a place where some servers read a model, and menshen does not.
    let mayNameModelInPath: Bool

    /// `pathModel`: what menshen has read there.
    package init(
        _ target: RequestTarget, _ operation: Operation, pathModel: String?, method: RequestHead.Method, hasBody: Bool,
        isWebSocket: Bool
    ) {
        path = target.plainPath
        self.operation = operation
        provider = target.providerName
        queryModels = isWebSocket || target.query == nil ? [] : target.queryModels
        mayNameModelInPath =
            pathModel == nil && Self.hasModelFolder(path)
            || operation == .files && Self.goesOn(path)
        switch method {
        case _ where isWebSocket: manner = .webSocket
        case .get, .head, .delete, .options: manner = .lookUp
        default: manner = !hasBody && path.hasSuffix("/cancel") ? .lookUp : .call
        }
    }

    private static let modelFolders = ["/engines/", "/deployments/"].map { Array($0.utf8) }

    /// By bytes: to look for a text in another by characters costs a request more than all of policy.
    private static func hasModelFolder(_ path: String) -> Bool {
        let bytes = path.utf8.span
        for folder in modelFolders where folder.count <= bytes.count {
            for start in 0...bytes.count - folder.count {
                var same = 0
                while same < folder.count, bytes[start + same] == folder[same] { same += 1 }
                if same == folder.count { return true }
            }
        }
        return false
    }

    /// Behind what makes it a path of files stands what makes it another's: who knows which of them a server goes by.
    private static func goesOn(_ path: String) -> Bool {
        let rest = path.split(separator: "/").drop { $0 != "files" && $0 != "uploads" }.dropFirst()
        switch Operation(.common, path: rest.joined(separator: "/")) {
        case .other, .files: return false
        default: return true
        }
    }

    /// With the version that most APIs' paths begin with, where the caller has left it out.
    var versionedPath: String? {
        let first = path.dropFirst().prefix { $0 != "/" }
        return Dialect.isRoot(first) ? "/v1" + path : nil
    }
}
