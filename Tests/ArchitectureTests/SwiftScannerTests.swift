// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

/// The scanner that the laws on types stand on, against small sources that are known.
@Suite struct SwiftScannerTests {
    private func properties(_ body: String) -> [String] {
        declarations("struct Box {\n\(body)\n}").types.last?.properties.map(\.name) ?? []
    }

    private func declarations(_ source: String) -> SwiftDeclarations { SwiftDeclarations(SwiftText(source)) }

    private func words(_ source: String) -> [String] { SwiftText(source).words.map(\.text) }

    // MARK: Text

    @Test func `comments and strings are no code`() {
        let text = SwiftText("let a = \"}\" // {\n/* { /* { */ } */ let b = #\"\"}\"# + \"\"\"\n  } \"\n  \"\"\"\n")
        let code = String(decoding: text.code, as: UTF8.self)
        #expect(!code.contains("{") && !code.contains("}"))
        #expect(code.contains("let b"))
        #expect(code.split(separator: "\n", omittingEmptySubsequences: false).count == 5)
        #expect(text.words.map(\.isComment) == [false, true, true, false, false])
        #expect(text.words.map(\.line) == [1, 1, 2, 2, 2])
    }

    @Test func `code inside of a string is code`() {
        let text = SwiftText(#"let a = "x \(f("}", { $0 })) y \\(no) \"" + b"#)
        let code = String(decoding: text.code, as: UTF8.self)
        #expect(code.contains("{ $0 }"))
        #expect(!code.contains("no"))
        #expect(code.hasSuffix("+ b"))
        #expect(text.words.map(\.text) == ["}", #"x   y \\(no) \""#])
    }

    @Test func `a raw string's code has as many signs as its quotes`() {
        let text = SwiftText("let a = #\"\\(no) \\#(yes)\"#\nlet b = 1")
        let code = String(decoding: text.code, as: UTF8.self)
        #expect(!code.contains("no") && code.contains("yes"))
        #expect(code.contains("let b"))
    }

    @Test func `lines of one comment are read as one`() {
        #expect(words("// RFC 9111\n// 5.4\nlet a = 1\n// more") == ["// RFC 9111\n// 5.4", "// more"])
    }

    @Test func `a name in backticks is a word`() {
        let found = declarations("struct Box {\n    func `a \"quoted { name`() {\n    }\n    let a: Int\n}")
        #expect(found.types.first?.properties.map(\.name) == ["a"])
        #expect(found.functions.count == 1)
    }

    // MARK: Properties

    @Test func `stored properties are counted`() {
        #expect(properties("let a: Int") == ["a"])
        #expect(properties("var a = 1, b: [Int: Int] = [:], c: String?") == ["a", "b", "c"])
        #expect(properties("let (a, b): (Int, Int)") == ["a", "b"])
        #expect(properties("private(set) var a: Map<Int, Text>\nunowned let b: Box") == ["a", "b"])
        #expect(properties("var a = Map<Int, Text>()\nlet b: Int") == ["a", "b"])
        #expect(properties("lazy var a = Timer { [unowned self] in fire() }\nlet b: Int") == ["a", "b"])
        #expect(properties("let a: (Int, Int) -> Void\nlet b: any Some<Int, Int>") == ["a", "b"])
        #expect(properties("var a: Int { didSet { b = a } }\nvar b = 2 {\n    willSet {}\n}") == ["a", "b"])
        #expect(properties("let a =\n    \"{\"\nlet b: Int") == ["a", "b"])
        #expect(properties("var a = 1 < 2\nvar b = 3") == ["a", "b"])
    }

    @Test func `computed and static ones are not`() {
        #expect(properties("var a: Int { 1 }") == [])
        #expect(properties("var a: Int\n{\n    get { 1 }\n    set {}\n}\nlet b: Int") == ["b"])
        #expect(properties("static let a = 1\nprivate static var b: Int = 2") == [])
        #expect(properties("@Wrapped(a, { 1 }) private static let a = 1\n@Wrapped(a) private(set) var b = 1") == ["b"])
        #expect(
            properties("func f() {\n    let a = 1\n    var b = 2\n}\ninit(a: Int = { let c = 1; return c }()) {}") == []
        )
        #expect(properties("case a\nstatic func f(_ x: Int) -> Int { let y = x; return y }") == [])
    }

    @Test func `a type inside has its own`() {
        let found = declarations(
            "class Outer {\n    let a: Int\n    struct Inner {\n        let b: Int\n    }\n    let c: Int\n}")
        #expect(found.types.map(\.name) == ["Outer.Inner", "Outer"])
        #expect(found.types.map { $0.properties.map(\.name) } == [["b"], ["a", "c"]])
        #expect(found.types.map(\.lines) == [3, 4])
    }

    @Test func `class funcs, class constraints and members called like a keyword declare no type`() {
        let found = declarations(
            "protocol Some: class {}\nclass Box {\n    class func f() {}\n    let a = X.self.class\n    let b: Int\n}")
        #expect(found.types.map(\.name) == ["Some", "Box"])
        #expect(found.types.last?.properties.map(\.name) == ["a", "b"])
    }

    // MARK: Functions

    @Test func `functions have a name and a length`() {
        let found = declarations(
            """
            extension Outer.Box where A == B {
                static func < (a: Self, b: Self) -> Bool {
                    a.x < b.x
                }
                init?<T>(_ f: (T) -> Void = { _ in }) {
                }
                subscript(i: Int) -> Int { 1 }
                var computed: Int {
                    1
                }
                let handler = {
                    1
                }()
            }
            func free()
            {
            }
            """)
        #expect(
            found.functions.map(\.name) == [
                "Outer.Box.<", "Outer.Box.init", "Outer.Box.subscript", "Outer.Box.computed", "free",
            ])
        #expect(found.functions.map(\.lines) == [3, 2, 1, 3, 3])
        #expect(found.types.map(\.isExtension) == [true])
    }

    @Test func `a protocol's requirements have no bodies`() {
        let found = declarations("protocol Some {\n    func f()\n    init()\n}\nstruct Box {\n    let a: Int\n}")
        #expect(found.functions.isEmpty)
        #expect(found.types.map(\.name) == ["Some", "Box"])
    }
}
