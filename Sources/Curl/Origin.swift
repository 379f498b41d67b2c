// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCurl

/// A parsed URL of libcurl: scheme, host and port of a provider. Parsed once per provider and thread, where
/// CURLOPT_URL would be parsed and rebuilt for each request.
package final class Origin {
    let handle: OpaquePointer

    /// `url` is scheme, authority and a path of "/".
    package init(_ url: String) throws(CurlError) {
        guard let handle = curl_url() else { throw CurlError(code: CURLE_OUT_OF_MEMORY.rawValue) }
        self.handle = handle
        if curl_url_set(handle, CURLUPART_URL, url, 0) != CURLUE_OK {
            curl_url_cleanup(handle)
            throw CurlError(code: CURLE_URL_MALFORMAT.rawValue)
        }
    }

    deinit { curl_url_cleanup(handle) }
}
