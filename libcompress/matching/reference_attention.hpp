// SPDX-License-Identifier: Apache-2.0
// What reference queries see of some KV heads: logits without a causal mask, row maxima, the mass
// and output of the softmax, streamed over blocks of rows. Shared by the parts of Attention
// Matching.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "kvcal/compress/layer_view.hpp"
#include "kvcal/compress/params.hpp"

namespace kvcal {

/// Which reference queries; the same fields in every part that looks through them.
struct ReferenceParams {
  std::string reference_queries = "repeat";
  int64_t queries_per_head = 1024;
  template <class Visitor>
  void visit(Visitor& v) {
    v.field(
        "reference_queries", reference_queries,
        one_of({"context", "repeat", "study", "repeat+study"}),
        "whose queries stand for those to come: the prompt's, of its repetition, of texts about "
        "it");
    v.field("queries_per_head", queries_per_head, at_least(1), "drawn from each query head");
  }

  Needs needs() const;

  /// [kv_heads, group * drawn, head_dim] f32, divided by sqrt(head_dim): the drawn queries of all
  /// heads of each group.
  /// @throws Error{Kind::shape} the layer has none
  at::Tensor queries_of(const LayerView& view) const;
};

/// Entries and queries of some KV heads, f32. Entries that are left out have bias -inf.
struct ReferenceAttention {
  at::Tensor queries;  ///< [kv_heads, rows, head_dim], scaled
  at::Tensor keys;     ///< [kv_heads, tokens, head_dim]
  at::Tensor values;   ///< same
  at::Tensor bias;     ///< [kv_heads, tokens]

  /// @param queries    as queries_of
  /// @param left_out   [kv_heads, tokens] bool
  ReferenceAttention(const LayerView& view, const at::Tensor& queries, const at::Tensor& left_out);

  /// Some of the KV heads.
  /// @param kv_heads  [n] i64
  ReferenceAttention of_heads(const at::Tensor& kv_heads) const;

  /// Logits of rows first .. first + count - 1.
  /// @param indices  [kv_heads, chosen] i64 of the keys, or undefined: all
  /// @return  [kv_heads, count, tokens or chosen]
  at::Tensor logits(int64_t first, int64_t count, const at::Tensor& indices = {}) const;

  int64_t rows() const { return queries.size(1); }
};

/// Softmax of all rows, and what it puts out.
struct ReferenceTarget {
  at::Tensor maximum;  ///< [kv_heads, rows] largest logit of each row
  at::Tensor mass;     ///< [kv_heads, rows] sum over tokens of exp(logit - maximum), >= 1
  at::Tensor output;   ///< [kv_heads, rows, head_dim]
};
ReferenceTarget attend(const ReferenceAttention& attention);

/// Calls visit(first row, [kv_heads, block, tokens] f32 logits) for all rows, block by block.
template <class Visit>
void for_row_blocks(const ReferenceAttention& attention, Visit&& visit) {
  constexpr int64_t kBlockRows = 512;
  for (int64_t first = 0; first < attention.rows(); first += kBlockRows) {
    const int64_t count = std::min(kBlockRows, attention.rows() - first);
    visit(first, attention.logits(first, count));
  }
}

}  // namespace kvcal
