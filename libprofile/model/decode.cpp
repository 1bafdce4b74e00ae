// SPDX-License-Identifier: Apache-2.0
// One decode step of several sequences: linear layers as one batch of rows, attention of each row
// over its own cache. All products take rows one by one (project_rows), so that a variant has the
// same bits alone and among others.
#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "kvcal/compress/error.hpp"
#include "model/layer_ops.hpp"
#include "model/model_impl.hpp"
#include "model/projection.hpp"

namespace kvcal {
namespace {

/// Zeros the rows of silenced heads of one layer.
/// @param heads  [rows, heads, head_dim]
void silence(at::Tensor heads, std::span<const DecodeRow> rows, int64_t layer,
             HeadMask::Kind kind) {
  for (size_t row = 0; row < rows.size(); ++row) {
    const auto* mask = rows[row].mask;
    if (mask == nullptr || mask->kind != kind) continue;
    for (const int64_t head : mask->heads[static_cast<size_t>(layer)]) {
      heads[static_cast<int64_t>(row)][head].zero_();
    }
  }
}

}  // namespace

at::Tensor Model::Impl::decode_attention(int64_t layer, const at::Tensor& normed,
                                         const RopeTable& rope, std::span<const DecodeRow> rows,
                                         std::span<const Feed> feeds,
                                         LayerObserver* observer) const {
  const auto& weights_of = weights.layers[static_cast<size_t>(layer)];
  const auto qkv = project_rows(normed, weights_of.qkv, weights_of.qkv_bias)
                       .view({normed.size(0), -1, spec.config.head_dim});
  const bool wants_before_rope = observer != nullptr && observer->wants_queries_before_rope();
  const auto vectors = split_heads(spec, weights_of, qkv, rope, wants_before_rope);
  silence(vectors.queries, rows, layer, HeadMask::Kind::uniform);
  const auto by_head = attend_each(layer, vectors, feeds, {});  // [rows, heads, head_dim]
  silence(by_head, rows, layer, HeadMask::Kind::zero);
  const auto output = by_head.flatten(1);  // [rows, heads * head_dim]
  if (observer != nullptr) {
    const auto& cache = *rows.front().cache;
    observer->after_attention({layer, cache.next_position(), vectors.queries.transpose(0, 1),
                               cache.layer(layer, 1), output, weights_of.output, attention_scale(),
                               normed, vectors.queries_before_rope});
  }
  return project_rows(output, weights_of.output, weights_of.output_bias);
}

at::Tensor Model::Impl::through_decode(std::span<const DecodeRow> rows, std::span<const Feed> feeds,
                                       LayerObserver* observer) const {
  std::vector<int64_t> ids;
  for (const auto& row : rows) ids.push_back(row.id);
  const auto embedded = embed(ids);  // [rows, hidden]
  const auto rope = rope_at(feeds, embedded.options());
  const auto attention = [&](int64_t layer, const at::Tensor& normed) {
    return decode_attention(layer, normed, rope, rows, feeds, observer);
  };
  const auto hidden = through_layers(embedded, attention, project_rows);
  return rms_norm(hidden, weights.final_norm, spec.config.norm_eps);
}

at::Tensor Model::Impl::run_decode(std::span<const DecodeRow> rows, LayerObserver* observer) const {
  std::vector<Feed> feeds;
  for (const auto& row : rows) feeds.push_back({{&row.id, 1}, row.cache});
  const auto hidden = in_runs(feeds, [&](const ThreadRun& run) {
    return through_decode(rows.subspan(run.first, run.count),
                          std::span(feeds).subspan(run.first, run.count), observer);
  });
  auto logits = project_rows_to_f32(hidden, weights.lm_head);  // [rows, vocab]
  check_finite(logits);
  return logits;
}

at::Tensor Model::decode(std::span<const DecodeRow> rows) const {
  const at::AutoDispatchBelowADInplaceOrView no_autograd;
  require(!rows.empty(), Kind::internal, "no sequence to decode, need at least 1");
  for (const auto& row : rows) {
    impl_->check({&row.id, 1}, *row.cache);
    require(row.mask == nullptr || static_cast<int64_t>(row.mask->heads.size()) == config().layers,
            Kind::internal, "head mask of {} layers, the model has {}",
            row.mask == nullptr ? 0 : row.mask->heads.size(), config().layers);
  }
  const auto logits = impl_->run_decode(rows, nullptr);
  for (const auto& row : rows) row.cache->commit(1);
  return logits;
}

}  // namespace kvcal
