// SPDX-License-Identifier: Apache-2.0
#include "model/family.hpp"

namespace kvcal {
namespace {

/// Qwen2 and Qwen2.5: queries, keys and values have biases, whatever config.json says.
/// Checked  parity/model: tiny_qwen2, tiny_shards (tied).
void read(const ConfigSection& file, ModelSpec& spec) {
  spec.has_qkv_bias = true;
  // Published configs carry a sliding_window that use_sliding_window = false switches off.
  if (file.flag("use_sliding_window")) spec.config.sliding_window = file.count("sliding_window");
}

}  // namespace

extern const FamilyInfo family_qwen2 = {"Qwen2ForCausalLM", read};

}  // namespace kvcal
