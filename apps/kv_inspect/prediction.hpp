// SPDX-License-Identifier: Apache-2.0
// What prompts of some lengths take: memory and, on a device that is named, time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvcal/profile/model.hpp"

namespace kvcal {

struct PredictionFlags {
  std::string directory;
  std::vector<int64_t> lengths;  ///< tokens, of the prompt and new ones
  std::string device;            ///< empty: memory alone
  std::string dtype = "bf16";
  std::vector<std::string> methods = {"full", "snapkv", "streaming_llm", "h2o", "knorm"};
  std::string budgets = "3%,6%,12%,25%,50%";
  int64_t new_tokens = 64;

  int64_t element_bytes() const { return dtype == "f32" ? 4 : 2; }
};

/// The full cache alone, and a sweep of `methods` x `budgets`, as kv-eval --dry-run predicts them
/// for real prompts.
/// @throws Error{config} unknown method, budget or device
std::string prediction_table(const PredictionFlags& flags, const ModelConfig& config);

}  // namespace kvcal
