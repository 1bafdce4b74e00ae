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

/// Query rows of a KV head, head after head of its group, and what they gathered so far. All their
/// numbers lie in one block: a decode step makes thousands of these.
class Rows {
 public:
  /// @param tokens  rows of each head
  Rows(int64_t heads, int64_t tokens, int64_t head_dim);

  int64_t count() const { return count_; }
  int64_t head_dim() const { return head_dim_; }
  /// head_dim rounded up to kLanes; padding is zero.
  int64_t padded_dim() const { return padded_dim_; }
  int64_t tokens() const { return tokens_; }

  float* queries(int64_t row) { return numbers_.data() + row * padded_dim_; }
  /// Sum of exp(logit - maximum) * value.
  float* output(int64_t row) { return numbers_.data() + (count_ + row) * padded_dim_; }
  const float* output(int64_t row) const { return numbers_.data() + (count_ + row) * padded_dim_; }
  float& maximum(int64_t row) { return scalars()[row]; }  ///< -inf before the first entry
  float maximum(int64_t row) const { return scalars()[row]; }
  float& sum(int64_t row) { return scalars()[count_ + row]; }  ///< of exp(logit - maximum)
  float sum(int64_t row) const { return scalars()[count_ + row]; }

  /// Queries that are bf16, as bf16; made on the first call.
  const uint16_t* bf16_queries();

  /// How many of the first entries a row sees.
  int64_t visible(int64_t row) const { return first_visible + row % tokens_ * more_a_token; }

  float scale = 1;            ///< of the logits
  int64_t first_visible = 0;  ///< by the rows of the first token
  int64_t more_a_token = 0;   ///< 1: each token sees one entry more than the one before

 private:
  float* scalars() { return numbers_.data() + 2 * count_ * padded_dim_; }
  const float* scalars() const { return numbers_.data() + 2 * count_ * padded_dim_; }

  int64_t count_, tokens_, head_dim_, padded_dim_;
  std::vector<float> numbers_;  // queries, output: [count, padded_dim]; maxima, sums: [count]
  std::vector<uint16_t> words_;
};

void attend_f32(const Entries& entries, Rows& rows);
void attend_bf16(const Entries& entries, Rows& rows);
/// By products of pairs of bf16: queries and softmax weights are rounded to bf16, sums are f32.
/// Only where has_bf16_products(), and for a head_dim that is a multiple of 32.
void attend_bf16_pairs(const Entries& entries, Rows& rows);
void attend_f16(const Entries& entries, Rows& rows);

}  // namespace kvcal::cpu
