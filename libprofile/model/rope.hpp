// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding in the rotate-half convention of Hugging Face checkpoints.
#pragma once

#include <ATen/core/Tensor.h>

namespace kvcal {

struct ModelSpec;

/// [head_dim / 2] f32: radians per position.
at::Tensor rope_frequencies(const ModelSpec& spec);

/// Cosines and sines of the positions of one chunk, in the model's dtype as transformers rounds
/// them.
struct RopeTable {
  at::Tensor cos;  ///< [tokens, head_dim / 2]
  at::Tensor sin;  ///< [tokens, head_dim / 2]
};

/// @param frequencies  see rope_frequencies
/// @param positions    [tokens] f32, of each token
/// @param options      dtype and device of the table
RopeTable make_rope_table(const at::Tensor& frequencies, const at::Tensor& positions,
                          const at::TensorOptions& options);

/// Turns heads in place: first half a, second half b -> a cos - b sin, b cos + a sin.
/// @param heads  [tokens, heads, head_dim], a view is fine
void apply_rope_(const at::Tensor& heads, const RopeTable& table);

}  // namespace kvcal
