// SPDX-License-Identifier: Apache-2.0
// CompactCache: the KV cache of one sequence, one entry list per layer and KV head.
//
// Each layer is a prefix and a tail. The prefix is what a prompt was cut down to (or the whole
// prompt); it is immutable, ragged over KV heads and shared by copies. The tail holds the tokens
// appended since (prompt tokens during prefill; question and generated tokens later), the same ones
// for all KV heads. Entries keep the RoPE phase of their original position; new tokens continue at
// the original position.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace kvcal {

/// One layer's compacted entries. KV head k owns entries [offsets[k], offsets[k+1]).
///
/// Entries of its own lie in the order of the KV heads, and `rows` is undefined. A layer that
/// refers to entries lets keys and values be those of the whole prompt, shared with it and with
/// other variants, and says in `rows` where its own are.
struct CompactLayer {
  at::Tensor keys;       ///< [total_kept, head_dim], or [stored, head_dim] that `rows` point into
  at::Tensor values;     ///< as keys
  at::Tensor bias;       ///< [total_kept] f32 added to the scaled logits, or undefined (= zero)
  at::Tensor offsets;    ///< [kv_heads + 1] i64, CPU
  at::Tensor rows = {};  ///< [total_kept] i32 on the keys' device: entry i is row rows[i]

  int64_t total_kept() const { return rows.defined() ? rows.size(0) : keys.size(0); }
  /// Of keys, values and bias of the kept entries, wherever they lie.
  int64_t bytes() const;
  /// The same entries in memory of their own: the prompt's may go.
  CompactLayer with_own_entries() const;
};

/// Prefix and tail of one layer as attention sees them.
struct CacheLayer {
  CompactLayer prefix;     ///< total_kept may be 0
  at::Tensor tail_keys;    ///< [kv_heads, tail, head_dim], view
  at::Tensor tail_values;  ///< [kv_heads, tail, head_dim], view

  int64_t kv_heads() const { return tail_keys.size(0); }
  int64_t tail_tokens() const { return tail_keys.size(1); }
};

class CompactCache {
 public:
  /// An empty cache with room for `tail_capacity` tokens.
  /// @param options  dtype and device of the entries
  CompactCache(int64_t layers, int64_t kv_heads, int64_t head_dim, int64_t tail_capacity,
               const at::TensorOptions& options);

  /// A cache whose prefix is given: it stands for `original_tokens` tokens.
  CompactCache(std::vector<CompactLayer> prefix, int64_t original_tokens, int64_t tail_capacity);

  int64_t layers() const { return static_cast<int64_t>(tail_keys_.size()); }
  int64_t kv_heads() const { return kv_heads_; }
  int64_t head_dim() const { return head_dim_; }
  int64_t original_tokens() const { return original_tokens_; }
  int64_t tail_tokens() const { return tail_tokens_; }
  int64_t tail_capacity() const { return tail_capacity_; }
  /// Position of the next token to come.
  int64_t next_position() const { return original_tokens_ + tail_tokens_; }
  /// Bytes of the prefix: what the prompt costs after compaction.
  int64_t prefix_bytes() const;

  /// Writes the new tokens' entries behind the tail of one layer; `commit` makes them part of it.
  /// @param keys, values  [kv_heads, new, head_dim]
  /// @throws Error{Kind::internal} no room
  void append(int64_t layer, const at::Tensor& keys, const at::Tensor& values);
  /// After all layers got the same `new_tokens` tokens.
  void commit(int64_t new_tokens);
  /// Forgets the last tail tokens (a question and its answer) and leaves `tokens` of them.
  void truncate_tail(int64_t tokens);

  /// Copies the first tokens of another freshly prefilled cache into this empty one.
  void take_over(const CompactCache& other, int64_t tokens);

  /// Layer as attention sees it, with `pending` appended but uncommitted tokens in the tail.
  CacheLayer layer(int64_t layer, int64_t pending = 0) const;

  /// Entries of a prompt just prefilled (empty prefix): [kv_heads, tail, head_dim] views.
  at::Tensor tail_keys(int64_t layer) const;
  at::Tensor tail_values(int64_t layer) const;

  /// Puts other entries under one layer. They stand for as many original tokens.
  void replace_prefix(int64_t layer, CompactLayer prefix);

  /// Same prefix (shared memory), empty tail with its own room: one per variant, question or
  /// answer.
  CompactCache fork(int64_t tail_capacity) const;

  /// Same prefix (shared memory) and a copy of the tail, with room for `tail_capacity` tokens.
  CompactCache branch(int64_t tail_capacity) const;

  /// The same with a prefix in memory of its own (CompactLayer::with_own_entries).
  CompactCache with_own_entries() &&;

  /// The prefilled prompt (empty prefix, tail only) as an uncut prefix; no copy when the tail is
  /// full.
  CompactCache sealed(int64_t tail_capacity) const { return sealed(tail_capacity, tail_tokens_); }
  /// The same of its first `tokens` alone; a copy.
  CompactCache sealed(int64_t tail_capacity, int64_t tokens) const;

 private:
  int64_t kv_heads_ = 0;
  int64_t head_dim_ = 0;
  int64_t original_tokens_ = 0;
  int64_t tail_tokens_ = 0;
  int64_t tail_capacity_ = 0;
  std::vector<CompactLayer> prefix_;
  std::vector<at::Tensor> tail_keys_;    // per layer [kv_heads, tail_capacity, head_dim]
  std::vector<at::Tensor> tail_values_;  // same
};

}  // namespace kvcal
