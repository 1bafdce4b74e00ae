// SPDX-License-Identifier: Apache-2.0
// How long a sweep takes on a device, told before it starts: operations and bytes, each divided by
// what the device does in a second, whichever takes longer. memory.hpp is its sibling.
#pragma once

#include <span>

#include "kvcal/profile/device.hpp"
#include "kvcal/profile/memory.hpp"

namespace kvcal {

/// Seconds of one prompt. Left out: reading the weights, scores, allocation, selection, and what a
/// costly compactor computes, which is no pass over the model.
struct Durations {
  double prefill = 0;
  double statistics = 0;  ///< column sums, and the passes of a replay
  double decoding = 0;    ///< all variants in one batch, tail_tokens steps: no stop token ends it
  double fidelity = 0;    ///< two answers of tail_tokens fed to every variant

  double total() const { return prefill + statistics + decoding + fidelity; }
};

double prefill_seconds(const ModelConfig& model, const PromptShape& prompt, const Device& device);

/// One token fed to each of `rows` sequences that hold `entries` tokens together.
double decode_seconds(const ModelConfig& model, int64_t element_bytes, int64_t rows,
                      int64_t entries, const Device& device);

Durations predict_durations(const ModelConfig& model, const PromptShape& prompt,
                            std::span<const Variant> variants, const Device& device,
                            bool measures_fidelity);

}  // namespace kvcal
