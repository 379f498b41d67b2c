// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// The form that throws stored answers away, for a session that may.
package enum CacheForm {
    /// Below the dashboard's root.
    package static let path = ["system", "clear-cache"]
    /// Where one sees what it has done.
    package static var place: String { Page.Place.system.address.text }

    static func html(_ formToken: String) -> HTML {
        """
        <form method="post" action="\(Address(path: path))">\(HTML.hidden([.init(name: TokenForms.Field.form, value: formToken)]))\
        <p class="soft small">Throws away all answers that are stored, of every caller. What is asked next is asked of a provider.</p>
        <p class="acts gap"><button class="danger">Clear the cache</button></p></form>

        """
    }
}
