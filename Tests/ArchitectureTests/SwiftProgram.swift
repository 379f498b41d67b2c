// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

/// All types of some sources, each with its extensions, whatever file and target these are in.
struct SwiftProgram {
    struct TypeSize {
        /// With its target: `MenshenCore.Problem`.
        let name: String
        /// Where it is declared.
        let place: String
        fileprivate(set) var lines: Int
        fileprivate(set) var properties: [String]
    }

    struct FunctionSize {
        let name: String
        let place: String
        let lines: Int
    }

    private(set) var types: [TypeSize] = []
    private(set) var functions: [FunctionSize] = []

    /// Indices into `types` by target and name, those of one file's own types by its path in place of the target.
    private var indices: [String: Int] = [:]
    private let targets: [String]

    init(_ paths: [String]) throws {
        targets = try Repository.targets()
        let sources = try paths.map { ($0, SwiftDeclarations(SwiftText(try Repository.text($0)))) }
        for (path, source) in sources {
            try #require(source.isWhole, "\(path) is not understood")
            for part in source.types where !part.isExtension { add(part, path) }
            functions += source.functions.map {
                FunctionSize(name: "\(Self.target(path)).\($0.name)", place: "\(path):\($0.line)", lines: $0.lines)
            }
        }
        for (path, source) in sources {
            for part in source.types where part.isExtension { extend(part, path) }
        }
    }

    private mutating func add(_ part: SwiftDeclarations.TypePart, _ path: String) {
        indices["\(part.isPrivate ? path : Self.target(path)) \(part.name)"] = types.count
        types.append(
            TypeSize(
                name: "\(Self.target(path)).\(part.name)", place: "\(path):\(part.line)", lines: part.lines,
                properties: part.properties.map(\.name)))
    }

    /// Of a type of the same file, of the same target, of another target, or of nobody's here.
    private mutating func extend(_ part: SwiftDeclarations.TypePart, _ path: String) {
        let owners = [path, Self.target(path)] + targets
        guard let index = owners.compactMap({ indices["\($0) \(part.name)"] }).first else { return add(part, path) }
        types[index].lines += part.lines
        types[index].properties += part.properties.map(\.name)
    }

    private static func target(_ path: String) -> String { String(path.split(separator: "/")[1]) }
}
