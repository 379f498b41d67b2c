// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct PriceTextTests {
    @Test(arguments: [
        "0", "3", "0.25", "15000", "0.041666666666666664", "3>200000:6", "1>200000:2>=400000:4", "0.1>=200000:0.2",
    ])
    func `a price reads back as itself`(_ text: String) throws {
        #expect(try #require(UnitPrice(text)).description == text)
    }

    @Test(arguments: [
        "9999999999999999999999999", "", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "0.0000000000000000001",
        "1000000000", "1>", "1>a:2",
        "1>5", "1>0:2",
        "1>5:2>5:3", "1>9:2>5:3", "1>>5:2", "1>=:2", "１", "99999999999999999999999999999999999999999999",
    ])
    func `any other text is no price`(_ text: String) { #expect(UnitPrice(text) == nil) }

    @Test func `days are those of the calendar`() {
        for days in stride(from: 0, to: 300_000, by: 97) {
            let date = PriceDate(days: days)
            #expect(PriceDate(date.description) == date)
        }
        #expect(PriceDate("2026-11-27")?.days == 20_784 && PriceDate("2000-02-29")?.days == 11_016)
        #expect(
            PriceDate(seconds: -1).days == -1 && PriceDate(seconds: 86_399).days == 0
                && PriceDate(seconds: 86_400).days == 1)
        for text in [
            "", "2026-02-29", "2026-13-01", "2026-00-10", "2026-1-01", "26-01-01", "2026-01-01 ", "2026/01/01",
            "2026-01-0x",
        ] {
            #expect(PriceDate(text) == nil, "\(text)")
        }
    }

    @Test(arguments: ["Mon-Fri 01:00-04:00,06:00-10:00", "Sat,Sun 00:00-24:00", "00:30-16:30", "Fri-Mon 22:00-02:00"])
    func `windows are read`(_ text: String) { #expect(PriceWindow(text)?.description == text) }

    @Test(arguments: [
        "", "Mon", "Mon-Fri", "mon 01:00-02:00", "1:00-2:00", "01:00", "01:00-01:00", "25:00-26:00", "01:60-02:00",
        "24:00-01:00", "Mon  01:00-02:00",
    ])
    func `any other text is no window`(_ text: String) { #expect(PriceWindow(text) == nil) }

    private func overlay(_ text: String) -> (overlay: PriceOverlay?, text: String) {
        let read = PriceOverlay.decode(Array(text.utf8), file: "p.toml")
        return (read.overlay, read.diagnostics.map(\.description).joined(separator: "\n"))
    }

    @Test func `a row of one's own stands before those of the table, tier by tier and day by day`() throws {
        let (read, faults) = overlay(
            """
            [[prices]]
            provider = "shop"
            model = "plain"
            models = ["mine"]
            input = 1
            output = 2.50
            cached = "0.000000000000000001"
            checked = 2026-11-28
            [[prices]]
            provider = "shop"
            model = "risen"
            from = 2028-01-01
            input = 9
            output = 0.00001
            """)
        let book = PriceBook(try #require(read), table: Shop.table)
        #expect(faults == "" && book.version.hasPrefix("test 1, prices.toml "))
        func dollars(_ model: String, tier: String? = nil) -> String? {
            Shop.cost(model, Shop.usage(1_000_000, 0), book: book) { $0.answerTier = tier }.amount?.dollars
        }
        #expect(dollars("plain") == "1" && dollars("mine") == "1" && dollars("plain-20260115") == "1")
        #expect(dollars("plain", tier: "batch") == "1.5" && dollars("plain-5") == "4" && dollars("risen") == "2")
        #expect(book.rows("shop", "risen")[0].prices[.output]?.description == "0.00001")
    }

    @Test(arguments: [
        ("[[prices]]\nprovider = 1", "p.toml:2:12: error: prices[].provider must not be an integer"),
        (
            "[[prices]]\nprovider = \"a\"",
            "p.toml:1:1: error: prices[].model must be a name without blanks\n  hint: write model = \"gpt-5\""
        ),
        (
            "[[prices]]\nprovider = \"a\"\nmodel = \"m\"\ninputs = 1",
            "p.toml:4:1: error: prices[].inputs is no unit that has a price\n  hint: did you mean \"input\"?"
        ),
        (
            "[[prices]]\nprovider = \"a\"\nmodel = \"m\"\ninput = -1",
            "p.toml:4:9: error: prices[].input is no price\n  hint: write dollars, as in 0.25; more than 15 digits between quotes"
        ),
        (
            "[[prices]]\nprovider = \"a\"\nmodel = \"m\"\ninput = 0.1234567890123456",
            "p.toml:4:9: error: prices[].input is no price\n  hint: write dollars, as in 0.25; more than 15 digits between quotes"
        ),
        (
            "[[prices]]\nprovider = \"a\"\nmodel = \"m\"\nfrom = \"soon\"",
            "p.toml:4:8: error: prices[].from must be a day\n  hint: write from = 2026-11-27"
        ),
        (
            "[[prices]]\nprovider = \"a\"\nmodel = \"m\"\nwindow = \"at night\"",
            "p.toml:4:10: error: prices[].window must be hours of the week in UTC\n  hint: write window = \"Mon-Fri 01:00-04:00\""
        ),
        (
            "[[prices]]\nprovider = \"a\"\nmodel = \"m\"\nvariant = \"slow\"",
            "p.toml:4:11: error: prices[].variant must be one of batch, flex, priority, fast\n  hint: leave it out for the standard way"
        ),
        ("price = 1", "p.toml:1:1: error: 'price' is no table of this file\n  hint: write [[prices]] before each row"),
        (
            "[[prices]]\nprovider = \"a\"\nmodel = \"m\"\n[[prices]]\nprovider = \"a\"\nmodel = \"M\"",
            "p.toml:4:1: error: an earlier row is for the same model, day, variant and window"
        ),
    ])
    func `each fault has its place and the way out`(_ text: String, _ expected: String) {
        let read = overlay(text)
        #expect(read.overlay == nil && read.text == expected)
    }

    private func row(_ prices: [(name: String, text: String)], model: String = "m", variant: String = "") throws
        -> PriceRow
    {
        try PriceRow.read(
            provider: "a", model: model, from: "", variant: variant, window: "", prices: prices,
            checked: try #require(PriceDate("2026-11-28")), source: "a \"list\"")
    }

    @Test func `setting a price keeps other rows and comments`() throws {
        let first = try #require(PriceOverlayText.setting(try row([("input", "3")]), in: ""))
        #expect(overlay(first).overlay?.rows == [try row([("input", "3")])])
        let text = """
            # Mine.
            [[prices]]
            provider = "a" # whose
            models = ["n",
                "o"]
            model = "m"
            input = 1 # by letter
            # until then

            [[prices]]
            provider = "a"
            model = "b"
            input = 7
            """
        let changed = try #require(
            PriceOverlayText.setting(try row([("input", "3.5"), ("output", "4>5:6")]), in: text))
        for part in [
            "# Mine.", "# whose", "input = 3.5 # by letter", "# until then", "model = \"b\"\ninput = 7",
            "output = \"4>5:6\"",
        ] {
            #expect(changed.contains(part), "\(part)\n\(changed)")
        }
        let rows = try #require(overlay(changed).overlay).rows
        #expect(rows.count == 2 && rows[0].priceText == "input=3.5 output=4>5:6" && rows[0].models == ["m", "n", "o"])
        let other = try #require(PriceOverlayText.setting(try row([("input", "1")], variant: "flex"), in: changed))
        #expect(overlay(other).overlay?.rows.count == 3)
        #expect(PriceOverlayText.setting(try row([("input", "1")]), in: "nonsense") == nil)
    }

    @Test func `a table becomes rows of one's own, all of them`() throws {
        let (rows, faults) = PriceTable.rows(of: Shop.text, file: "t.tsv")
        #expect(faults == [] && rows.count == 26)
        #expect(overlay(PriceOverlayText.text(of: rows)).overlay?.rows == rows)
        let bad = PriceTable.rows(of: "x\t\t\t\tinput=1\n>nobody\nprovider\tp\n", file: "t.tsv").diagnostics
        #expect(bad.map(\.line) == [1, 2, 3])
    }

    @Test func `old rows and changes that were only announced are doubtful`() throws {
        let rows = Shop.table.rows(of: "shop")
        func warnings(_ day: String) throws -> [String] {
            PriceCheck.warnings(rows, today: try #require(PriceDate(day)))
        }
        #expect(try warnings("2026-12-31") == [])
        #expect(
            try warnings("2027-01-01") == [
                "shop risen: a change on 2027-01-01 was announced when it was looked at on 2026-11-27, and may not have "
                    + "happened: https://shop.example/prices"
            ])
        #expect(
            try warnings("2027-01-27").last?.hasPrefix("shop: 25 rows last checked on 2026-11-27, 61 days ago") == true)
    }
}
