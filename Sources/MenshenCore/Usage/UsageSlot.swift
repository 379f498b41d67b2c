// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a field of a provider's usage object stands for.
enum UsageSlot: Int, Sendable, CaseIterable {
    /// Input with and without what a cache gave or took.
    case input, inputUncached
    /// Input of tools, which Google counts apart.
    case toolInput
    case cacheRead, cacheWritten, cacheWritten5m, cacheWritten1h
    /// Output with and without reasoning.
    case output, candidates, reasoning
    case audioIn, audioOut, imageIn, imageOut
    case acceptedPrediction, rejectedPrediction, webSearches, webFetches
    case seconds, serviceTier, speed, inferenceGeo
    /// What the provider charges: in dollars, and in units of a ten-thousandth of a millionth of one.
    case cost, costTicks
    /// Bedrock's list of cache writes by lifetime: an element of it, and what is in it.
    case lifetime, lifetimeName, lifetimeCount
    /// Google's lists of tokens by modality: an element of one, and what is in it.
    case modalityIn, modalityOut, modality, modalityCount
}
