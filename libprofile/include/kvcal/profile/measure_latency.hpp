// SPDX-License-Identifier: Apache-2.0
// Measuring latency and memory of variants, each alone. What the numbers are: latency.hpp.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kvcal/profile/engine.hpp"
#include "kvcal/profile/latency.hpp"

namespace kvcal {

struct LatencyOptions {
  int64_t new_tokens = 32;  ///< decoded after the first; stop tokens do not end it
  int64_t repeats = 5;      ///< after one that is not counted
  uint64_t seed = 0;
};

/// What is measured with.
struct LatencyBench {
  const Model& model;
  const Tokenizer& tokenizer;
  const ChatFormat& chat;
  const ProfileFacts& facts;
};

/// @param variant  without a mask: silenced heads cost what the full cache costs
/// @throws Error{input} prompt and new tokens are longer than the model
LatencyRecord measure_latency(const LatencyBench& bench, const std::string& task,
                              const Sample& sample, const Variant& variant,
                              const LatencyOptions& options);

}  // namespace kvcal
