// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// The upright axis of a chart: from 0 to the tick above the highest value.
struct ChartScale {
    let top: Double
    let step: Double

    /// About four ticks of 1, 2, 2.5 or 5 times a power of ten. `isCount`: there are no parts of one.
    init(highest: Int64, unit: Double, isCount: Bool) {
        let most = highest <= 0 ? 1 : max(Double(highest) / unit, isCount ? 1 : 0.01)
        var power = 1.0
        while power * 10 <= most / 4 { power *= 10 }
        while power > most / 4 { power /= 10 }
        var step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 * 4 >= most } ?? power * 10
        if isCount { step = max(1, step.rounded(.up)) }
        self.step = step * unit
        top = (most / step).rounded(.up) * step * unit
    }

    var ticks: [Int64] { (0...Int((top / step).rounded())).map { Int64((Double($0) * step).rounded()) } }

    func height(_ value: Int64, of height: Double) -> Double { min(1, Double(value) / top) * height }

    /// Labels of ticks, with as many decimals as tell them apart; cents are two.
    func label(_ value: Int64, _ measure: Measure) -> String {
        guard measure == .spend else { return value == 0 ? "0" : measure.text(value) }
        if value == 0 { return "$0" }
        let dollars = 1e12
        if step >= dollars, step.truncatingRemainder(dividingBy: dollars) == 0 {
            return "$" + Figures.count(Int64((Double(value) / dollars).rounded()))
        }
        return step >= dollars / 100
            ? Figures.money(Money(picodollars: value)) : Figures.cost(Money(picodollars: value))
    }
}
