// SPDX-License-Identifier: Apache-2.0
// Weights as the forward pass wants them: query, key and value projections fused into one matrix,
// gate and up projections into another.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "model/model_spec.hpp"

namespace kvcal {

/// Biases and head norms are undefined where the architecture has none.
struct LayerWeights {
  at::Tensor input_norm;   ///< [hidden]
  at::Tensor qkv;          ///< [(heads + 2 * kv_heads) * head_dim, hidden]: queries, keys, values
  at::Tensor qkv_bias;     ///< [(heads + 2 * kv_heads) * head_dim]
  at::Tensor query_norm;   ///< [head_dim]
  at::Tensor key_norm;     ///< [head_dim]
  at::Tensor output;       ///< [hidden, heads * head_dim]
  at::Tensor output_bias;  ///< [hidden]
  at::Tensor attention_norm;  ///< [hidden], after the attention
  at::Tensor gate_up;         ///< [2 * intermediate, hidden]: gate, up
  at::Tensor gate_up_bias;    ///< [2 * intermediate]
  at::Tensor down;            ///< [hidden, intermediate]
  at::Tensor down_bias;       ///< [hidden]
};

struct Weights {
  at::Tensor embedding;  ///< [vocab, hidden]
  std::vector<LayerWeights> layers;
  at::Tensor final_norm;  ///< [hidden]
  at::Tensor lm_head;     ///< [vocab, hidden]; the embedding itself when tied

  int64_t bytes() const;
  /// Name of a tensor that holds NaN or infinity; empty if there is none.
  std::string not_finite() const;
};

/// @param dtype  "auto" (as the embedding is stored), "f32", "bf16", "f16"
/// @throws Error{input}   see SafetensorsModel
///         Error{config}  unknown dtype
Weights load_weights(const std::filesystem::path& directory, const ModelSpec& spec,
                     const std::string& dtype, const at::Device& device);

}  // namespace kvcal
