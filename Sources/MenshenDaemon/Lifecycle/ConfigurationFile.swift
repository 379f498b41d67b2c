// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore

/// Reads a configuration file whole and has it decoded.
package enum ConfigurationFile {
    /// Far more than any configuration; a mistaken path to a huge file ends here.
    private static let limit = 1 << 20

    package static func load(_ path: String) -> DecodedConfiguration {
        do {
            let bytes = try FileReading.bytes(path, limit: limit)
            var decoded = ConfigurationDecoder.decode(bytes, file: path, environment: Environment.value)
            if let warning = exposure(path, decoded.configuration) { decoded.diagnostics.append(warning) }
            return decoded
        } catch {
            let hint = error.code == FileReading.notFound ? "'menshen config init' writes a commented one there" : nil
            return DecodedConfiguration(
                configuration: nil,
                diagnostics: [
                    Diagnostic(.error, file: path, line: 0, column: 0, message: "cannot be read: \(error)", hint: hint)
                ])
        }
    }

    /// A key in a file that others may read is no secret.
    private static func exposure(_ path: String, _ configuration: Configuration?) -> Diagnostic? {
        guard let configuration, let mode = FileReading.mode(path), mode & 0o077 != 0 else { return nil }
        let holdsKey = configuration.providers.contains { !$0.key.inlineKeys.isEmpty }
        guard holdsKey else { return nil }
        return Diagnostic(
            .warning, file: path, line: 0, column: 0,
            message: "other users may read this file (mode 0\(String(mode, radix: 8)))",
            hint: "chmod 600 \(path)")
    }
}

extension DecodedConfiguration {
    /// The first fault, for a place that holds one sentence.
    var firstFault: String {
        diagnostics.first { $0.severity == .error }.map {
            let place = $0.line > 0 ? "\($0.file):\($0.line):\($0.column)" : $0.file
            return "\(place): \($0.message)."
        } ?? ""
    }
}
