// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Streams that once were read in two ways, each replayed with every cut.
let failCases: [String] = [
    "GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: upgrade, keep-alive\t\r\n\r\n",
    "get / HTTP/1.1\r\nHost: h\r\n\r\n",
    // llhttp does not see the body of the first, nor the length of the second.
    "PUT / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\t\r\n\r\n_",
    "POST http://a>b:80/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n_",
    // Extensions that end elsewhere for a parser that knows quotes, and one that does not.
    "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a=\"\r\nx\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a=\"b\"c\r\nx\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1; a = b\r\nx\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;é\r\nx\r\n0\r\n\r\n",
    // Trailers that frame.
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
]
