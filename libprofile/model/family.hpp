// SPDX-License-Identifier: Apache-2.0
// Families of models: one file each in model/families/, found by the build as methods are. A family
// says what an architecture has beside Llama's decoder (norm, rotary attention, gated MLP) and what
// its config.json means where families differ; geometry, RoPE and stop ids are read for all alike.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/config_section.hpp"
#include "model/model_spec.hpp"

namespace kvcal {

struct FamilyInfo {
  std::string_view architecture;  ///< as config.json has it, e.g. "LlamaForCausalLM"
  /// Sets biases and norms of `spec` and spec.config.sliding_window.
  /// @throws Error{input} what the forward pass does not do, with key and value
  void (*read)(const ConfigSection& file, ModelSpec& spec);
  /// Where config.json names none; 0: hidden_size / num_attention_heads.
  int64_t default_head_dim = 0;
};

std::span<const FamilyInfo* const> family_table();

}  // namespace kvcal
