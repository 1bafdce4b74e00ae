// SPDX-License-Identifier: Apache-2.0
// What the scorers that look through a window of queries share: the attention that past tokens get
// from the last prompt tokens, and its pooling. Not a scorer.
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "kvcal/compress/layer_view.hpp"

namespace kvcal {

/// Softmax rows of query heads first .. first + count - 1, all of one KV head, in the last
/// window_tokens rows.
///
/// @return  [count, window, tokens] f32, causal inside the window
/// @throws  Error{Kind::shape}  fewer queries than window_tokens, or heads % kv_heads != 0
at::Tensor window_rows(const LayerView& view, int64_t window_tokens, int64_t first, int64_t count);

/// Attention mass that query heads first .. first + count - 1, all of one KV head, give to each
/// token before the window.
///
/// @return  [count, tokens - window] f32: sum over the window rows of softmax(q k^T /
/// sqrt(head_dim))
/// @throws  as window_rows
at::Tensor window_mass(const LayerView& view, int64_t window_tokens, int64_t first, int64_t count);

/// The same of all heads.
/// @return  [heads, tokens - window] f32
/// @throws  as window_rows
at::Tensor window_mass(const LayerView& view, int64_t window_tokens);

/// Pooling along the last dimension, stride 1, same length, kernel odd. "avg" divides by the whole
/// kernel at the edges too, as all reference implementations do (PyTorch's count_include_pad).
/// "grow" is the max over distances d of mass[t + d] * (1 - |d| / (kernel / 2 + 1)).
/// @param mass  [heads, past]
at::Tensor pool_tokens(const at::Tensor& mass, std::string_view pool, int64_t kernel);

/// pool_tokens(window_mass(..)) of query heads first .. first + count - 1, all of one KV head; one
/// kernel on CUDA.
/// @return  [count, tokens - window] f32
at::Tensor pooled_window_mass(const LayerView& view, int64_t window_tokens, int64_t first,
                              int64_t count, std::string_view pool, int64_t kernel);
/// The same of all heads: [heads, tokens - window].
at::Tensor pooled_window_mass(const LayerView& view, int64_t window_tokens, std::string_view pool,
                              int64_t kernel);

/// [kv_heads, tokens]: `past` [kv_heads, past] followed by window columns of +inf.
at::Tensor with_protected_window(const at::Tensor& past, int64_t window_tokens);

/// @throws Error{Kind::config} an even kernel has no centre
void require_odd_kernel(int64_t pool_kernel);

}  // namespace kvcal
