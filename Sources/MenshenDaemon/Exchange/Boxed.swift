// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A large value that few of its owners have, kept outside of them: an object of more than 1,032 bytes takes glibc's slow
/// way to memory, and a thousand streams have an exchange each.
@propertyWrapper struct Boxed<Value> {
    private final class Box {
        var value: Value?
        init(_ value: Value?) { self.value = value }
    }

    private var box: Box?

    init() {}

    var wrappedValue: Value? {
        get { box?.value }
        _modify {
            if let box {
                yield &box.value
            } else {
                var value: Value?
                yield &value
                if value != nil { box = Box(value) }
            }
        }
        set { if let box { box.value = newValue } else if newValue != nil { box = Box(newValue) } }
    }
}
