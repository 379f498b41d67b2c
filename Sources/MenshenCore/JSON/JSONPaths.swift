// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The values a scan is after, compiled once into a tree of keys. `model`, `choices[].finish_reason`; the root is empty, and
/// `[]` any element of an array, also at the root. Keys are plain ASCII without escapes.
package struct JSONPaths: Sendable {
    struct Child: Sendable {
        let key: [UInt8]
        /// The key's first bytes, which tell most keys apart.
        let head: UInt64
        let node: Int32

        /// Whether a key of `count` bytes is this one of at most eight small letters, or the same with large ones: setting
        /// the bit makes a small letter of a large one, and of nothing else.
        func matches(_ head: UInt64, _ count: Int) -> Bool {
            count == key.count && head | 0x2020_2020_2020_2020 >> UInt64(64 &- count &* 8) == self.head
        }
    }

    struct Node: Sendable {
        var children: [Child] = []
        /// The node of an array's elements.
        var element: Int32 = -1
        /// Index of the path that ends here, or -1.
        var path: Int32 = -1
        /// The length of the longest key; longer ones need not be looked at.
        var longestKey = 0

    }

    private(set) var nodes = [Node()]
    /// A key of the root, of at most eight small letters, that is taken with large ones too.
    private(set) var anyCase: Child?

    /// A path's index in `paths` is what the scanner reports.
    package init(_ paths: [StaticString], anyCase: StaticString? = nil) {
        for (index, path) in paths.enumerated() {
            path.withUTF8Buffer { text in
                let node = unsafe insert(Array(text))
                nodes[Int(node)].path = Int32(index)
            }
        }
        guard let anyCase else { return }
        let key = anyCase.withUTF8Buffer { unsafe Array($0) }
        self.anyCase = nodes[0].children.first { $0.key == key }
    }

    private mutating func insert(_ path: [UInt8]) -> Int32 {
        var node: Int32 = 0
        for part in path.split(separator: UInt8(ascii: ".")) {
            var key = part
            var levels = 0
            while key.count >= 2, key.suffix(2).elementsEqual("[]".utf8) {
                key = key.dropLast(2)
                levels += 1
            }
            if !key.isEmpty { node = child(of: node, Array(key)) }
            for _ in 0..<levels { node = element(of: node) }
        }
        return node
    }

    private mutating func child(of parent: Int32, _ key: [UInt8]) -> Int32 {
        if let known = nodes[Int(parent)].children.first(where: { $0.key == key }) { return known.node }
        let node = Int32(nodes.count)
        nodes.append(Node())
        nodes[Int(parent)].children.append(
            Child(key: key, head: ByteSearch.head(key.span), node: node))
        nodes[Int(parent)].longestKey = max(nodes[Int(parent)].longestKey, key.count)
        return node
    }

    private mutating func element(of parent: Int32) -> Int32 {
        if nodes[Int(parent)].element >= 0 { return nodes[Int(parent)].element }
        let node = Int32(nodes.count)
        nodes.append(Node())
        nodes[Int(parent)].element = node
        return node
    }
}
