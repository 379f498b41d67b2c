// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors
import PackageDescription

/// One list for every Swift target: what the compiler must refuse is the same everywhere.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    // Checks of overlapping access cost 4 % of a request's instructions; debug builds and their tests have them on.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// Targets that parse and decide: pointer code there is a compile error unless it is marked `unsafe`.
let pure = settings + [.strictMemorySafety()]

/// The commit that is built, as contrib's scripts say it. What SwiftPM itself knows of git it remembers past the next commit.
let commit = Context.environment["MENSHEN_COMMIT"] ?? "unknown"

func module(_ name: String, _ dependencies: [Target.Dependency] = [], _ settings: [SwiftSetting] = settings) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func system(_ name: String, _ pkgConfig: String, apt package: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

let package = Package(
    name: "menshen",
    products: [.executable(name: "menshen", targets: ["menshen"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        // Tests only: llhttp, which our HTTP codec is compared with, comes with NIOHTTP1.
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        // C libraries, each behind one Swift module and imported nowhere else.
        system("CCurl", "libcurl", apt: "libcurl4-openssl-dev"),
        system("CNghttp2", "libnghttp2", apt: "libnghttp2-dev"),
        system("CSQLite", "sqlite3", apt: "libsqlite3-dev"),
        system("CCrypto", "libcrypto", apt: "libssl-dev"),
        system("CSSL", "libssl", apt: "libssl-dev"),
        system("CZlib", "zlib", apt: "zlib1g-dev"),
        system("CBrotli", "libbrotlidec", apt: "libbrotli-dev"),
        system("CZstd", "libzstd", apt: "libzstd-dev"),
        system("CSystemd", "libsystemd", apt: "libsystemd-dev"),
        .target(name: "CLinux"),
        .target(name: "CVersion", cSettings: [.define("MENSHEN_COMMIT", to: "\"\(commit)\"")]),
        .target(name: "CPrices", exclude: ["prices.tsv"]),
        .target(name: "CPages", exclude: ["assets"]),
        .target(name: "CTOML"),

        // Swift owners of those libraries.
        module("Linux", ["CLinux"]),
        module("Crypto", ["CCrypto"]),
        module("TLS", ["CSSL", "Linux"]),
        module("Compression", ["CZlib", "CBrotli", "CZstd"]),
        module("TOML", ["CTOML"]),
        module("Curl", ["CCurl"]),
        module("HTTP2", ["CNghttp2"]),
        module("SQLite", ["CSQLite"]),
        module("Systemd", ["CSystemd", "Linux", "CLinux"]),

        // What moves bytes.
        module("Reactor", ["Linux", "CLinux"]),
        module("HTTP", [], pure),

        // What decides, what stores, what forwards, what serves, what shows it.
        module("MenshenCore", ["HTTP", "TOML", "Crypto", "CPrices"], pure),
        module("MenshenStore", ["MenshenCore", "SQLite", "Systemd", "Linux", "Crypto"]),
        module("MenshenPages", ["MenshenCore", "MenshenStore", "CPages"]),
        module("MenshenUpstream", ["Curl", "TLS", "HTTP", "HTTP2", "Reactor", "Linux"]),
        module(
            "MenshenDaemon",
            [
                "MenshenCore", "MenshenStore", "MenshenPages", "MenshenUpstream", "HTTP", "Compression", "Curl",
                "TLS", "Reactor", "Linux", "Systemd",
                "SQLite", "Crypto", "CVersion",
                .product(name: "Subprocess", package: "swift-subprocess"),
            ]),
        module("MenshenDashboard", ["MenshenDaemon", "MenshenPages", "MenshenCore", "HTTP", "Crypto", "Linux"]),
        module("MenshenDemo", ["MenshenCore", "HTTP", "Reactor", "Linux", "Systemd", "MenshenStore"]),
        .executableTarget(
            name: "menshen",
            dependencies: [
                "MenshenCore", "MenshenDaemon", "MenshenDashboard", "MenshenDemo", "MenshenStore", "Linux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),

        // Tests.
        .target(
            name: "TestSupport", dependencies: ["Linux", "CLinux", "CSSL", "CNghttp2", "SQLite"],
            path: "Tests/TestSupport",
            swiftSettings: settings),
        tests("LinuxTests", ["Linux", "CLinux", "TestSupport"]),
        tests("TOMLTests", ["TOML"]),
        tests("TLSTests", ["TLS", "TestSupport"]),
        tests("CompressionTests", ["Compression", "CZlib", "CZstd"]),
        tests("SQLiteTests", ["SQLite", "TestSupport"]),
        tests("SystemdTests", ["Systemd", "Linux", "CLinux", "TestSupport"]),
        tests("ReactorTests", ["Reactor", "Linux", "TestSupport"]),
        tests(
            "HTTPTests",
            [
                "HTTP", "TestSupport", .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ]),
        tests("HTTP2Tests", ["HTTP2", "TestSupport"]),
        tests("MenshenCoreTests", ["MenshenCore", "HTTP", "Crypto", "TOML", "TestSupport"]),
        tests("MenshenStoreTests", ["MenshenStore", "MenshenCore", "SQLite", "Systemd", "Linux", "TestSupport"]),
        tests("MenshenPagesTests", ["MenshenPages", "MenshenStore", "MenshenCore", "SQLite", "Linux", "TestSupport"]),
        tests(
            "MenshenUpstreamTests",
            ["MenshenUpstream", "Curl", "TLS", "HTTP", "HTTP2", "Reactor", "Linux", "TestSupport"]),
        tests(
            "MenshenDaemonTests",
            [
                "menshen", "MenshenDaemon", "MenshenUpstream", "MenshenStore", "MenshenCore", "HTTP", "Reactor",
                "Systemd", "TestSupport", "Linux", "SQLite",
            ]),
        tests(
            "MenshenDashboardTests", ["MenshenDashboard", "MenshenDaemon", "HTTP", "Linux", "TestSupport", "menshen"]),
        tests("CommandTests", ["menshen", "TestSupport"]),
        tests("ArchitectureTests", ["MenshenCore"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c2x,
    cxxLanguageStandard: .cxx17
)
