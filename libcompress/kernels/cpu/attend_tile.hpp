// SPDX-License-Identifier: Apache-2.0
// The inner part of CPU attention: some query rows over some consecutive KV entries of one KV head,
// with a running softmax, so that any split of the entries can be merged afterwards.
#pragma once

#include <cstdint>
#include <vector>

namespace kvcal::cpu {

/// Entries of one KV head. Keys and values have the element type of the called function.
struct Entries {
  const void* keys = nullptr;     // [count, head_dim], or what `rows` point into
  const void* values = nullptr;   // same
  const float* bias = nullptr;    // [count] or null
  const int32_t* rows = nullptr;  // [count]: entry i is row rows[i]; null: row i
  int64_t count = 0;
};

/// Query rows and what they gathered so far; row r sees the first visible[r] of the entries.
struct Rows {
  Rows(int64_t count, int64_t head_dim);

  int64_t count;
  int64_t head_dim;
  int64_t padded_dim;            ///< head_dim rounded up to kLanes; padding is zero
  std::vector<float> queries;    ///< [count, padded_dim]
  float scale = 1;               ///< of the logits
  std::vector<float> output;     ///< [count, padded_dim]: sum of exp(logit - maximum) * value
  std::vector<float> maximum;    ///< [count], -inf before the first entry
  std::vector<float> sum;        ///< [count]: sum of exp(logit - maximum)
  std::vector<int64_t> visible;  ///< [count]
};

void attend_f32(const Entries& entries, Rows& rows);
void attend_bf16(const Entries& entries, Rows& rows);
/// By products of pairs of bf16: queries and softmax weights are rounded to bf16, sums are f32.
/// Only where has_bf16_products(), and for a head_dim that is a multiple of 32.
void attend_bf16_pairs(const Entries& entries, Rows& rows);
void attend_f16(const Entries& entries, Rows& rows);

}  // namespace kvcal::cpu
