// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The types, stored properties and functions that a Swift source declares, found by its braces.
struct SwiftDeclarations {
    struct Property: Equatable {
        let name: String
        let line: Int
    }

    /// A type's declaration, or one of its extensions.
    struct TypePart {
        /// With the types around it: `Outer.Inner`.
        let name: String
        let isExtension: Bool
        let isPrivate: Bool
        let line: Int
        /// From the declaration to its closing brace, without those of types inside of it.
        fileprivate(set) var lines = 0
        /// Of each instance; `static` ones are not counted.
        fileprivate(set) var properties: [Property] = []
    }

    /// A function, initialiser, subscript or computed property with its body.
    struct Function {
        let name: String
        let line: Int
        /// From its first line to its closing brace.
        let lines: Int
    }

    private(set) var types: [TypePart] = []
    private(set) var functions: [Function] = []

    private enum Kind {
        case type(TypePart)
        case function(String)
        case other
    }

    private struct Scope {
        let kind: Kind
        let line: Int
        /// Open parentheses and brackets around it.
        let depth: Int
        /// What waits for its own brace meanwhile: this one is in its parentheses.
        var pending: (kind: Kind, line: Int)?
        var nestedLines = 0
        var properties: [Property] = []
    }

    private static let typeWords: Set<String> = ["struct", "class", "enum", "actor", "extension", "protocol"]
    private static let modifiers: Set<String> = [
        "static", "class", "private", "fileprivate", "internal", "package", "public", "final", "lazy", "weak",
        "unowned",
        "override", "mutating", "nonmutating", "nonisolated", "indirect", "convenience", "required", "dynamic",
        "isolated", "consuming", "borrowing",
    ]

    private let tokens: [SwiftToken]
    private var scopes: [Scope] = []
    private var depth = 0
    /// What the next brace opens.
    private var pending: (kind: Kind, line: Int)?

    /// Every bracket was closed: a source that compiles was understood.
    var isWhole: Bool { scopes.isEmpty && depth == 0 }

    init(_ text: SwiftText) {
        tokens = SwiftToken.all(in: text.code)
        for index in tokens.indices { read(index) }
    }

    private mutating func read(_ index: Int) {
        switch tokens[index].text {
        case "(", "[": depth += 1
        case ")", "]": depth -= 1
        case "{": open(index)
        case "}": close(index)
        case let word where depth == 0 && text(index - 1) != ".": declare(word, index)
        default: break
        }
    }

    private mutating func open(_ index: Int) {
        if depth == 0, let pending {
            scopes.append(Scope(kind: pending.kind, line: pending.line, depth: depth))
        } else {
            scopes.append(Scope(kind: .other, line: tokens[index].line, depth: depth, pending: pending))
        }
        pending = nil
        depth = 0
    }

    private mutating func close(_ index: Int) {
        guard let scope = scopes.popLast() else { return }
        pending = scope.pending
        depth = scope.depth
        let lines = tokens[index].line - scope.line + 1
        var nested = scope.nestedLines
        switch scope.kind {
        case .type(var part):
            part.lines = lines - scope.nestedLines
            part.properties = scope.properties
            types.append(part)
            nested = lines
        case .function(let name): functions.append(Function(name: name, line: scope.line, lines: lines))
        case .other: break
        }
        // Lines of a type inside are its own, whatever stands between it and the type around it.
        if !scopes.isEmpty { scopes[scopes.count - 1].nestedLines += nested }
    }

    // MARK: Declarations

    private mutating func declare(_ word: String, _ index: Int) {
        if Self.typeWords.contains(word) { return declareType(word, index) }
        switch word {
        case "func": pending = (.function(qualified(functionName(index + 1))), tokens[index].line)
        case "init", "deinit", "subscript":
            if isInType { pending = (.function(qualified(word)), tokens[index].line) }
        case "var", "let": if isInType { declareProperty(index) }
        default: break
        }
    }

    private mutating func declareType(_ word: String, _ index: Int) {
        guard let next = text(index + 1), next.first?.isUppercase == true || next == "[" || next.hasPrefix("_"),
            text(index - 1) != ":"
        else { return }
        var name = ""
        var place = index + 1
        while let part = text(place), part != "{", part != ":", part != "where", part != "<" {
            name += part
            place += 1
        }
        let modifiers = modifiers(before: index)
        let part = TypePart(
            name: qualified(name), isExtension: word == "extension",
            isPrivate: modifiers.contains("private") || modifiers.contains("fileprivate"), line: tokens[index].line)
        pending = (.type(part), tokens[index].line)
    }

    private mutating func declareProperty(_ index: Int) {
        let (properties, isComputed) = SwiftBinding.read(tokens, after: index)
        if isComputed { pending = (.function(qualified(properties.last?.name ?? "")), tokens[index].line) }
        let stored = isComputed ? properties.dropLast() : properties[...]
        let modifiers = modifiers(before: index)
        if modifiers.contains("static") || modifiers.contains("class") { return }
        scopes[scopes.count - 1].properties += stored
    }

    // MARK: Reading

    private func text(_ index: Int) -> String? { tokens.indices.contains(index) ? tokens[index].text : nil }

    private var isInType: Bool {
        if case .type = scopes.last?.kind { true } else { false }
    }

    private func qualified(_ name: String) -> String {
        for scope in scopes.reversed() {
            if case .type(let part) = scope.kind { return part.name + "." + name }
        }
        return name
    }

    /// A word, or the signs of an operator.
    private func functionName(_ start: Int) -> String {
        guard let first = text(start), !SwiftToken.isWord(first) else { return text(start) ?? "" }
        var name = ""
        var place = start
        while let sign = text(place), sign != "(", !SwiftToken.isWord(sign) {
            name += sign
            place += 1
        }
        return name
    }

    private func modifiers(before index: Int) -> Set<String> {
        var found: Set<String> = []
        var place = index - 1
        while let word = text(place) {
            if text(place - 1) == "@" {
                place -= 2
            } else if Self.modifiers.contains(word), text(place - 1) != "." {
                found.insert(word)
                place -= 1
            } else if word == ")", let start = opening(of: place) {
                // `private(set)` and attributes with arguments; the former says nothing of the whole.
                place = Self.modifiers.contains(text(start - 1) ?? "") ? start - 2 : start - 1
                if text(start - 2) != "@", place == start - 1 { return found }
            } else {
                return found
            }
        }
        return found
    }

    private func opening(of end: Int) -> Int? {
        var depth = 0
        for place in stride(from: end, through: 0, by: -1) {
            if tokens[place].text == ")" { depth += 1 }
            if tokens[place].text == "(" { depth -= 1 }
            if depth == 0 { return place }
        }
        return nil
    }
}
