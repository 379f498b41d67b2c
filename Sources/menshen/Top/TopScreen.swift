// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore

/// The whole screen of `menshen top`, and what its keys do.
struct TopScreen {
    private let look: StyleOptions
    private let zone: ZoneRules
    private var picture = TopPicture()
    /// Came while the picture stands still.
    private var later: TopSource.Answer?

    init(_ look: StyleOptions, _ zone: ZoneRules) {
        self.look = look
        self.zone = zone
    }

    /// Returns when its reader has had enough, or a signal ends it.
    mutating func run(_ watch: TopWatch) throws {
        let screen = try FullScreen()
        defer { screen.restore() }
        while true {
            for event in screen.wait(for: watch.wake) {
                switch event {
                case .over: return
                case .resized: break
                case .woken: if let answer = watch.take() { came(answer) }
                case .key(let key): if !press(key) { return }
                }
            }
            if !draw(screen) { return }
        }
    }

    private func draw(_ screen: FullScreen) -> Bool {
        screen.draw(TopView(style: look.style, zone: zone, rows: StandardStream.output.rows ?? 24).lines(picture))
    }

    private mutating func came(_ answer: TopSource.Answer) {
        if picture.isPaused { return later = answer }
        later = nil
        picture.take(answer)
    }

    /// False: that was all.
    private mutating func press(_ key: FullScreen.Key) -> Bool {
        let page = max(1, (StandardStream.output.rows ?? 24) / 2)
        let last = max(0, (picture.look?.requests.count ?? 0) - 1)
        switch key {
        case .letter("q"): return false
        case .letter(" "):
            picture.isPaused.toggle()
            if let later, !picture.isPaused { came(later) }
        case .letter("r"): picture.isReversed.toggle()
        case .letter("k"), .up: picture.scroll -= 1
        case .letter("j"), .down: picture.scroll += 1
        case .pageUp: picture.scroll -= page
        case .pageDown: picture.scroll += page
        case .home: picture.scroll = 0
        case .end: picture.scroll = last
        case .letter(let letter): if let sort = TopSort(rawValue: letter) { picture.sort = sort }
        }
        picture.scroll = min(max(0, picture.scroll), last)
        return true
    }
}

extension TopPicture {
    /// Another look, or none.
    mutating func take(_ answer: TopSource.Answer) {
        switch answer {
        case .away(let why): away = why
        case .page(let page):
            let look = TopLook(page)
            history.add(look, now: Clock.monotonic())
            self.look = look
            away = nil
        }
    }
}
