// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Crypto
import Glibc
import MenshenCore
import Testing

@Suite struct AccessPolicyTests {
    private func rule(_ name: String, _ change: (inout CallerRule) -> Void = { _ in }) -> CallerRule {
        var rule = CallerRule()
        rule.name = name
        change(&rule)
        return rule
    }

    private func caller(
        _ uid: UInt32?, gid: UInt32? = nil, groups: [UInt32] = [], program: String? = nil, unit: String? = nil,
        job: String? = nil, project: (any LateText)? = nil
    ) -> CallerRecord {
        CallerRecord(
            uid: uid, pid: nil, gid: gid, groups: groups, executable: program, unit: unit, job: job, project: project,
            address: uid == nil ? "127.0.0.1:1" : "unix")
    }

    private func token(_ name: String, _ scope: Scope = .all) -> AccessToken {
        AccessToken(name: name, digest: Digest(of: Array(name.utf8)), scope: scope)
    }

    @Test func `the first rule each matcher of which matches is the caller's`() {
        let policy = Policy([
            rule("alice at work") { ($0.users, $0.units) = ([.init("1000")], [ModelPattern("work-*.scope")]) },
            rule("alice") { $0.users = [.init("7"), .init("1000")] },
            rule("ci") { $0.tokens = [ModelPattern("ci"), ModelPattern("nightly")] },
            rule("bots") { $0.tokens = [ModelPattern("bot-*")] },
            rule("staff") { $0.groups = [.init("50")] },
            rule("python") { $0.programs = [ModelPattern("python3*")] },
            rule("tools") { $0.programs = [ModelPattern("/opt/*")] },
            rule("rest"),
        ])
        let cases: [(CallerRecord, String?, String)] = [
            (caller(1000, unit: "work-1.scope"), nil, "alice at work"),
            (caller(1000, unit: "play.scope"), nil, "alice"),
            (caller(1000), "ci", "alice"), (caller(nil), "nightly", "ci"), (caller(nil), "bot-7", "bots"),
            (caller(5, gid: 50), nil, "staff"), (caller(5, gid: 1, groups: [4, 50]), nil, "staff"),
            (caller(5, gid: 1, groups: [4], program: "/usr/bin/python3.12"), nil, "python"),
            (caller(5, program: "/python3/sh"), nil, "rest"), (caller(5, program: "/opt/a/b"), nil, "tools"),
            (caller(5, program: "/srv/opt/b"), nil, "rest"), (caller(nil), nil, "rest"), (caller(nil), "other", "rest"),
        ]
        for (caller, token, name) in cases {
            #expect(policy.first(for: caller, token: token)?.name == name, "\(name)")
        }
    }

    @Test func `jobs and projects tell the programs of one user apart`() {
        let policy = Policy([
            rule("step") { $0.jobs = [ModelPattern("17.0"), ModelPattern("*.batch")] },
            rule("job") { $0.jobs = [ModelPattern("17"), ModelPattern("20*")] },
            rule("notes") { $0.projects = [ModelPattern("notes")] },
            rule("work") { ($0.projects, $0.users) = ([ModelPattern("/work/*")], [.init("1")]) },
            rule("rest"),
        ])
        let cases: [(CallerRecord, String)] = [
            (caller(1, job: "17.0"), "step"), (caller(1, job: "17.1"), "job"), (caller(1, job: "17"), "job"),
            (caller(1, job: "17.batch"), "step"), (caller(1, job: "201.3"), "job"), (caller(1, job: "170.0"), "rest"),
            (caller(1, project: "/home/a/notes"), "notes"), (caller(1, project: "/work/a"), "work"),
            (caller(2, project: "/work/a"), "rest"), (caller(1, project: "/notes/b"), "rest"), (caller(1), "rest"),
            (caller(nil), "rest"),
        ]
        for (caller, name) in cases { #expect(policy.permit(for: Principal(caller)).rule?.name == name, "\(name)") }
        #expect(policy.readsProjects && !Policy([rule("x")]).readsProjects)
    }

    private struct Late: LateText {
        let text: String? = nil
        let standing: LateStanding
    }

    @Test(arguments: [(LateStanding.awaited, 503), (.unread, 403)])
    func `while a project is not known, nothing is allowed that depends on it`(
        _ standing: LateStanding, _ status: Int
    ) throws {
        let late = Late(standing: standing)
        let policy = Policy([
            rule("admin") { $0.tokens = [ModelPattern("admin")] },
            rule("private") { ($0.users, $0.projects, $0.isDenied) = ([.init("1")], [ModelPattern("private")], true) },
            rule("rest"),
        ])
        let permit = policy.permit(for: Principal(caller(1, project: late)))
        let denial = try #require(permit.denial)
        #expect(permit.rule == nil && denial.ruleName == "private" && permit.isProvisional == (standing == .awaited))
        #expect(denial.problem.status == status && denial.problem.isRetryable == (status == 503))
        // Its own rule is undecided, whatever its token allows.
        let shown = policy.permit(for: Principal(caller(1, project: late), token: token("admin")))
        #expect(shown.denial?.ruleName == "private")
        // For these no project decides.
        #expect(policy.permit(for: Principal(caller(2, project: late))).rule?.name == "rest")
        #expect(policy.permit(for: Principal(caller(nil), token: token("admin"))).denial == nil)
    }

    @Test func `a name that nobody has looked up matches nobody`() {
        let policy = Policy([
            rule("alice") { $0.users = [.init("alice")] }, rule("staff") { $0.groups = [.init("staff")] },
        ])
        #expect(policy.first(for: caller(0, gid: 0), token: nil) == nil)
    }

    @Test func `the index finds what looking at each rule finds`() {
        var random = SystemRandomNumberGenerator()
        func few<Value>(_ values: [Value]) -> [Value] {
            values.filter { _ in Bool.random(using: &random) }.prefix(2).map(\.self)
        }
        for _ in 0..<200 {
            let rules = (0..<12).map { index in
                rule("\(index)") {
                    if Int.random(in: 0..<3) == 0 { $0.users = few(["1", "2", "3"]).map { .init($0) } }
                    if Int.random(in: 0..<3) == 0 { $0.groups = few(["10", "11", "12"]).map { .init($0) } }
                    if Int.random(in: 0..<3) == 0 { $0.tokens = few(["a", "b*", "c"]).map { ModelPattern($0) } }
                    if Int.random(in: 0..<3) == 0 { $0.programs = few(["x", "y*"]).map { ModelPattern($0) } }
                }
            }
            let policy = Policy(rules)
            for uid: UInt32? in [nil, 1, 2, 4] {
                let who = caller(
                    uid, gid: uid.map { _ in 10 }, groups: few([11, 12]), program: few(["/b/x", "/b/yy"]).first)
                for token in [nil, "a", "bb", "d"] {
                    let plain = rules.first { $0.mismatch(who, token: token) == nil }
                    #expect(policy.first(for: who, token: token)?.name == plain?.name)
                }
            }
        }
    }

    @Test func `without rules everybody who was let in may do all, and with rules whom none is for may do nothing`() {
        #expect(Policy([]).permit(for: Principal(caller(1))).denial == nil)
        let policy = Policy([rule("alice") { $0.users = [.init("1000")] }])
        #expect(policy.permit(for: Principal(caller(1000))).rule?.name == "alice")
        let denial = policy.permit(for: Principal(caller(7, program: "/bin/x"))).denial
        #expect(denial?.holder == nil && denial?.problem.code == .deniedByPolicy && denial?.problem.status == 403)
        #expect(denial?.problem.message.contains("(uid 7, program /bin/x)") == true)
    }

    @Test func `a token gives a user no more than it has without`() {
        let policy = Policy([
            rule("admin") { ($0.tokens, $0.concurrency) = ([ModelPattern("admin")], 1) },
            rule("leaked") { ($0.tokens, $0.isDenied) = ([ModelPattern("leaked")], true) },
            rule("alice") { ($0.users, $0.maxErrors) = ([.init("1000")], 2) },
            rule("mallory") { ($0.users, $0.isDenied) = ([.init("6")], true) },
        ])
        let both = policy.permit(for: Principal(caller(1000), token: token("admin")))
        #expect(both.rule?.name == "admin" && both.ownRule?.name == "alice" && both.denial == nil)
        #expect(both.demands.map(\.holder.name) == ["admin", "alice"])
        #expect(both.demands.map(\.concurrency) == [1, nil] && both.demands.map(\.maxErrors) == [nil, 2])
        let same = policy.permit(for: Principal(caller(1000), token: token("other")))
        #expect(same.rule?.name == "alice" && same.ownRule == nil)
        #expect(policy.permit(for: Principal(caller(1000), token: token("leaked"))).denial?.ruleName == "leaked")
        #expect(policy.permit(for: Principal(caller(6), token: token("admin"))).denial?.ruleName == "mallory")
        let stranger = policy.permit(for: Principal(caller(7), token: token("admin")))
        #expect(stranger.denial?.problem.message.contains("(uid 7)") == true)
        // Over TCP no user is known.
        #expect(policy.permit(for: Principal(caller(nil), token: token("admin"))).denial == nil)
    }

    @Test func `rules that an earlier one leaves nothing are found`() {
        let rules = [
            rule("1") { $0.users = [.init("1"), .init("2")] },
            rule("2") { ($0.users, $0.programs) = ([.init("2")], [ModelPattern("sh")]) },
            rule("3") { $0.users = [.init("2"), .init("3")] },
            rule("4") { $0.tokens = [ModelPattern("ci-*")] },
            rule("5") { ($0.tokens, $0.isDenied) = ([ModelPattern("ci-a*"), ModelPattern("ci-b")], true) },
            rule("6") { $0.tokens = [ModelPattern("*")] },
            rule("7") { $0.groups = [.init("1")] },
            rule("7a") { $0.jobs = [ModelPattern("7")] }, rule("7b") { $0.jobs = [ModelPattern("7.0")] },
            rule("7c") { $0.projects = [ModelPattern("*")] },
            rule("7d") { ($0.projects, $0.jobs) = ([ModelPattern("/a")], [ModelPattern("8")]) },
            rule("8"), rule("9") { $0.isDenied = true }, rule("10") { $0.units = [ModelPattern("a")] },
        ]
        let found = CallerRule.unreachable(rules).map { "\($0.rule + 1) by \($0.by + 1)" }
        #expect(found == ["2 by 1", "5 by 4", "11 by 10", "13 by 12", "14 by 12"])
    }

    /// What a request costs at most before anything of it is cached by its connection.
    @Test func `a thousand rules cost hardly more than ten`() {
        func cost(_ count: Int) -> Double {
            let policy = Policy(
                (0..<count).map { index in
                    rule("\(index)") {
                        switch index % 3 {
                        case 0: $0.users = [.init("\(1000 + index)")]
                        case 1: $0.groups = [.init("\(5000 + index)")]
                        default: $0.tokens = [ModelPattern("token-\(index)")]
                        }
                    }
                } + [rule("rest")])
            let callers = [
                (caller(1000 + UInt32(count - 1) / 3 * 3, gid: 9, groups: [1, 2, 3]), nil),
                (caller(7, gid: 9, groups: [4, 5001, 6]), nil), (caller(nil), "token-\(count / 3 * 3 - 1)"),
                (caller(7), nil),
            ]
            return (0..<5).map { _ in
                let begin = cpu()
                var names = 0
                for _ in 0..<500 {
                    for (caller, token) in callers {
                        if policy.first(for: caller, token: token) != nil { names += 1 }
                    }
                }
                #expect(names == 500 * callers.count)
                return (cpu() - begin) * 1e6 / Double(500 * callers.count)
            }.min() ?? 0
        }
        let (ten, thousand) = (cost(12), cost(1002))
        #expect(thousand < ten * 3, "\(ten) µs, \(thousand) µs")
        #if !DEBUG
            #expect(thousand < 5, "\(thousand) µs")
        #endif
    }

    private func cpu() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
