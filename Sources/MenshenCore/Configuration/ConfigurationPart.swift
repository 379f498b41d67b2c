// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// One part of the configuration, a section in most cases, without the type of its value.
struct ConfigurationPart: Sendable {
    typealias Step = @Sendable (inout Configuration, ConfigurationSection) -> Void

    /// In the order of the example and of the reference.
    static let all: [ConfigurationPart] = [
        ConfigurationPart(\.self, check: Configuration.readListen),
        ConfigurationPart(\.server),
        Configuration.Authentication.part,
        CallerRule.part,
        Provider.part,
        ConfigurationPart(\.upstream, check: Configuration.Upstream.warnOfOlderNames),
        ConfigurationPart(\.failover),
        ConfigurationPart(\.storage),
        ConfigurationPart(\.logging),
        ConfigurationPart(\.cache, check: Configuration.Cache.check),
        Configuration.Limits.part,
        ConfigurationPart(\.telemetry, check: Configuration.Telemetry.makePlan),
    ]

    let keys: [ConfigurationKey]
    /// Given the top of the text.
    let read: Step
    /// Rules between keys, after all parts have been read.
    let check: Step
    let write: @Sendable (Configuration, inout ConfigurationText) -> Void

    init(
        keys: [ConfigurationKey], read: @escaping Step, check: @escaping Step = { _, _ in },
        write: @escaping @Sendable (Configuration, inout ConfigurationText) -> Void
    ) {
        self.keys = keys
        self.read = read
        self.check = check
        self.write = write
    }

    private init<Root: ConfigurationRoot>(
        _ property: any WritableKeyPath<Configuration, Root> & Sendable, check: @escaping Step = { _, _ in }
    ) {
        self.init(keys: Root.keys) { configuration, top in
            configuration[keyPath: property].read(top)
        } check: {
            check(&$0, $1)
        } write: {
            $1.write($0[keyPath: property])
        }
    }
}
