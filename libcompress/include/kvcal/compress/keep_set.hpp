// SPDX-License-Identifier: Apache-2.0
// KeepSet: which KV entries of one layer stay, ragged over KV heads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace kvcal {

struct KeepSet {
  at::Tensor indices;  ///< [total_kept] i64 CPU; token indices, ascending within each KV head
  at::Tensor offsets;  ///< [kv_heads + 1] i64 CPU; KV head k owns indices[offsets[k], offsets[k+1])

  int64_t kv_heads() const { return offsets.size(0) - 1; }
  int64_t total() const { return indices.size(0); }
  at::Tensor of_head(int64_t kv_head) const;  ///< [kept] view
};

/// Keeps the `kept[k]` highest scores of each KV head; equal scores go to the earlier token.
///
/// @param scores  [kv_heads, tokens] f32; +inf = protected
/// @param kept    [kv_heads] i64 CPU, each in 0 .. tokens
/// @throws  Error{Kind::config}   more protected entries than may stay in some KV head
///          Error{Kind::numeric}  a score is NaN
KeepSet select_top(const at::Tensor& scores, const at::Tensor& kept);

}  // namespace kvcal
