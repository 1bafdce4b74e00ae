// SPDX-License-Identifier: Apache-2.0
// ModelSpec: all that config.json says about a decoder, what the weights and the forward pass need
// to know beyond the public ModelConfig.
#pragma once

#include <filesystem>
#include <optional>

#include "kvcal/profile/model.hpp"

namespace kvcal {

/// Llama 3.1's stretch of the RoPE wavelengths ("rope_type": "llama3").
struct Llama3Scaling {
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 1;
  double original_tokens = 0;
};

struct ModelSpec {
  ModelConfig config;
  std::optional<Llama3Scaling> rope_scaling;
  bool has_qkv_bias = false;
  bool has_output_bias = false;
  bool has_mlp_bias = false;
  bool has_qk_norm = false;  ///< RMSNorm over head_dim of queries and keys before RoPE

  int64_t query_width() const { return config.heads * config.head_dim; }
  int64_t kv_width() const { return config.kv_heads * config.head_dim; }
};

/// @throws Error{input}  see read_model_config
ModelSpec read_model_spec(const std::filesystem::path& directory);

}  // namespace kvcal
