// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct WireFormScanTests {
    private static let type = "multipart/form-data; boundary=\"--door=7\""

    private static func part(_ head: String, _ value: String) -> String {
        "----door=7\r\nContent-Disposition: form-data; \(head)\r\n\r\n\(value)\r\n"
    }

    private static let form =
        part(#"name="file"; filename="model""#, "\r\n--\r\n----door=\r\n----door\r\r\nname=\"model\"\r\n\r\nx")
        + part("name=prompt", "say \r\n----door=8 \r\n") + part(#"name="model""#, "whisper-1")
        + part(#"name="a\"; name=\"user""#, "nobody")
        + "----door=7 \r\nX-Long: \(String(repeating: "x", count: 2000))\r\ncontent-disposition:form-data; NAME=user\r\n\r\n"
        + "reader-24\r\n" + part(#"name="stream""#, "true") + part("name=\"empty\"", "")
        + "----door=7--\r\n" + part("name=model", "after the end")

    private func scan(_ text: String, _ type: String = type, cuts: [Int] = []) -> RequestFacts? {
        guard var scan = FormScan(contentType: type) else { return nil }
        let bytes = Array(text.utf8)
        var start = 0
        for end in cuts + [bytes.count] {
            scan.feed(Array(bytes[start..<end]).span)
            start = end
        }
        return scan.facts
    }

    private static let expected: RequestFacts = {
        var facts = RequestFacts()
        facts.model = "whisper-1"
        facts.endUser = "reader-24"
        facts.isStream = true
        return facts
    }()

    @Test func `the fields are found wherever the form is cut`() {
        let count = Self.form.utf8.count
        #expect(scan(Self.form) == Self.expected)
        #expect((0...count).allSatisfy { scan(Self.form, cuts: [$0]) == Self.expected })
        #expect(scan(Self.form, cuts: Array(0..<count)) == Self.expected)
    }

    @Test func `a long file is passed over`() {
        let file = Self.part(
            #"name="file"; filename*=utf-8''a"#, String(repeating: "model\r\n\r\r----doo", count: 10_000))
        #expect(scan(file + Self.part("name=model", "m") + "----door=7--")?.model == "m")
    }

    @Test func `what is too long, broken off or no text is not taken`() {
        let long = String(repeating: "m", count: 300)
        #expect(scan(Self.part("name=model", long)) == RequestFacts())
        #expect(scan("----door=7\r\nContent-Disposition: form-data; name=model\r\n\r\nwhisper") == RequestFacts())
        #expect(scan(Self.part("name=stream", "perhaps"))?.isStream == nil)
        #expect(scan("no form at all") == RequestFacts())
        var scan = FormScan(contentType: Self.type)
        let value = Array("----door=7\r\nContent-Disposition: form-data; name=model\r\n\r\n".utf8) + [0xFF]
        scan?.feed((value + Array("\r\n----door=7--".utf8)).span)
        #expect(scan?.facts == RequestFacts())
    }

    @Test func `a form of more parts than any program sends is not read`() {
        func isExcessive(_ parts: String) -> Bool? {
            var scan = FormScan(contentType: Self.type)
            scan?.feed(Array((Self.part("name=model", "m") + parts + "----door=7--").utf8).span)
            #expect(scan?.facts.model == (scan?.isExcessive == true ? nil : "m"))
            return scan?.isExcessive
        }
        #expect(isExcessive(String(repeating: Self.part("n=a", ""), count: FormScan.maxParts - 1)) == false)
        #expect(isExcessive(String(repeating: Self.part("n=a", ""), count: FormScan.maxParts)) == true)
        let long = Self.part("name=a\r\n" + String(repeating: "X: y\r\n", count: 2_000), "")
        #expect(isExcessive(long) == false)
        #expect(isExcessive(long + long) == true)
    }

    private func fault(_ text: String, isWhole: Bool = true, cut: Int = 0) -> ModelFault? {
        var scan = FormScan(contentType: Self.type)
        let bytes = Array(text.utf8)
        scan?.feed(Array(bytes[..<cut]).span)
        scan?.feed(Array(bytes[cut...]).span)
        return scan?.modelFault(isWhole: isWhole)
    }

    @Test func `a form that servers read differently is told from one that names no model`() {
        let (m, end) = (Self.part("name=model", "m"), "----door=7--")
        func head(_ lines: String) -> String { "----door=7\r\n\(lines)\r\n\r\nm\r\n" + end }
        for whole in [m + end, m + m + end, end, Self.part("name=a", "b") + end, "before\r\n" + m + end] {
            #expect(fault(whole) == nil, "\(whole)")
        }
        #expect(fault(m + Self.part("name=model", "n") + end) == .several)
        #expect(fault(Self.part("name=a", "b"), isWhole: false) == .notInPrefix)
        let odd = [
            m, "", "{}", m.replacing("\r\n", with: "\n") + end, m + "----door=7x",
            Self.part("name=model", String(repeating: "m", count: 257)) + end,
            Self.part("name=model; name=a", "m") + end, Self.part("name*=utf-8''model", "m") + end,
            Self.part("name=model; filename=\"\"", "m") + end,
            Self.part("name=a; x=\(String(repeating: "x", count: 2000))", "m") + end,
            head("Content-Disposition: form-data;\r\n name=model"),
            head("Content-Disposition: form-data; name=model\r\nContent-Disposition: form-data; name=a"),
            head("Content-Transfer-Encoding: Quoted-Printable\r\nContent-Disposition: form-data; name=model"),
        ]
        for form in odd {
            for cut in stride(from: 0, through: form.utf8.count, by: 7) {
                #expect(fault(form, cut: cut) == .oddForm, "\(form)")
            }
        }
    }

    @Test(arguments: [
        "application/json", "multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=\(String(repeating: "b", count: 71))", "multipart/form-data; boundary=é",
    ])
    func `what is no form is not read`(type: String) {
        #expect(scan("", type) == nil)
    }
}
