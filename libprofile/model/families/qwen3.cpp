// SPDX-License-Identifier: Apache-2.0
#include "model/family.hpp"

namespace kvcal {
namespace {

/// Of transformers' Qwen3Config, for a config.json that lacks the key.
constexpr int64_t kDefaultHeadDim = 128;

/// Qwen3: RMSNorm over head_dim of queries and keys before RoPE.
/// Checked  parity/model: tiny_qwen3.
void read(const ConfigSection& file, ModelSpec& spec) {
  spec.has_qk_norm = true;
  spec.has_qkv_bias = spec.has_output_bias = file.flag("attention_bias");
  // As in Qwen2.
  if (file.flag("use_sliding_window")) spec.config.sliding_window = file.count("sliding_window");
}

}  // namespace

extern const FamilyInfo family_qwen3 = {"Qwen3ForCausalLM", read, kDefaultHeadDim};

}  // namespace kvcal
