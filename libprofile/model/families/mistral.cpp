// SPDX-License-Identifier: Apache-2.0
#include "model/family.hpp"

namespace kvcal {
namespace {

/// Of transformers' MistralConfig, for a config.json that lacks the key; null means none.
constexpr int64_t kDefaultWindow = 4096;

/// Mistral v0.1 to v0.3: Llama without biases, v0.1 with a sliding window.
/// Checked  parity/model: tiny_mistral.
void read(const ConfigSection& file, ModelSpec& spec) {
  spec.config.sliding_window =
      file.names("sliding_window") ? file.count_or("sliding_window", 0) : kDefaultWindow;
}

}  // namespace

extern const FamilyInfo family_mistral = {"MistralForCausalLM", read};

}  // namespace kvcal
