// SPDX-License-Identifier: Apache-2.0
// Several tokens of each of several sequences in one pass, as all variants of a prompt read an
// answer. Rows are multiplied one by one (project_rows), as in a decode step, so that a variant has
// the same bits alone and among others.
#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
#include "kvcal/compress/parallel.hpp"
#include "model/layer_ops.hpp"
#include "model/model_impl.hpp"
#include "model/projection.hpp"

namespace kvcal {
namespace {

/// A multiplication with an entry, in multiplications with a weight: entries lie apart, and each is
/// used by few rows.
constexpr int64_t kEntryCost = 5;

}  // namespace

at::Tensor Model::Impl::attend_each(int64_t layer, const HeadVectors& vectors,
                                    std::span<const Feed> feeds,
                                    const BeforeAttention& before) const {
  std::vector<int64_t> counts;
  for (const auto& feed : feeds) counts.push_back(static_cast<int64_t>(feed.ids.size()));
  const auto of_each = [&](const at::Tensor& all) {  // [all new, heads, head_dim]
    return all.transpose(0, 1).split_with_sizes(counts, 1);
  };
  const auto queries = of_each(vectors.queries), keys = of_each(vectors.keys);
  const auto values = of_each(vectors.values);
  for (size_t i = 0; i < feeds.size(); ++i) feeds[i].cache->append(layer, keys[i], values[i]);
  if (before) before(layer, queries);
  std::vector<CacheLayer> seen;
  for (size_t i = 0; i < feeds.size(); ++i) seen.push_back(feeds[i].cache->layer(layer, counts[i]));
  auto outputs = ragged_attention_batch(queries, seen, attention_scale());
  for (auto& output : outputs) output = output.transpose(0, 1);
  return at::cat(outputs);
}

at::Tensor Model::Impl::attention_together(int64_t layer, const at::Tensor& normed,
                                           const RopeTable& rope, std::span<const Feed> feeds,
                                           const BeforeAttention& before) const {
  const auto& weights_of = weights.layers[static_cast<size_t>(layer)];
  const auto qkv = project_rows(normed, weights_of.qkv, weights_of.qkv_bias)
                       .view({normed.size(0), -1, spec.config.head_dim});
  const auto vectors = split_heads(spec, weights_of, qkv, rope, /*wants_before_rope=*/false);
  const auto output = attend_each(layer, vectors, feeds, before).flatten(1);
  return project_rows(output, weights_of.output, weights_of.output_bias);
}

at::Tensor Model::Impl::embed_each(std::span<const Feed> feeds) const {
  require(!feeds.empty(), Kind::internal, "no sequence to feed, need at least 1");
  std::vector<int64_t> ids;
  for (const auto& feed : feeds) {
    check(feed.ids, *feed.cache);
    ids.insert(ids.end(), feed.ids.begin(), feed.ids.end());
  }
  return embed(ids);
}

void Model::Impl::through_layer_together(int64_t layer, at::Tensor& hidden, const RopeTable& rope,
                                         std::span<const Feed> feeds,
                                         const BeforeAttention& before) const {
  const auto attention = [&](int64_t at, const at::Tensor& normed) {
    return attention_together(at, normed, rope, feeds, before);
  };
  through_layer(layer, hidden, attention, project_rows);
}

std::vector<ThreadRun> Model::Impl::runs_of(std::span<const Feed> feeds) const {
  // Operators of another device do not wait for each other.
  const int64_t threads = weights.embedding.is_cpu() ? parallel_threads() : 1;
  if (threads < 2 || feeds.size() < 2) return {{0, feeds.size()}};
  const int64_t weight_bytes = weights.bytes();
  int64_t rows = 0;
  std::vector<int64_t> costs;
  for (const auto& feed : feeds) {
    const auto fresh = static_cast<int64_t>(feed.ids.size());
    const int64_t read = kEntryCost * spec.config.group() * feed.cache->prefix_bytes();
    costs.push_back(fresh * (weight_bytes + read));
    rows += fresh;
  }
  return thread_runs(costs, rows, threads);
}

at::Tensor Model::Impl::in_runs(std::span<const Feed> feeds,
                                const std::function<at::Tensor(const ThreadRun&)>& pass) const {
  const auto runs = runs_of(feeds);
  if (runs.size() == 1) return pass(runs.front());
  std::vector<at::Tensor> hidden(runs.size());
  parallel_tasks(static_cast<int64_t>(runs.size()), [&](int64_t run) {
    const at::AutoDispatchBelowADInplaceOrView no_autograd;  // of this thread
    const auto i = static_cast<size_t>(run);
    hidden[i] = pass(runs[i]);
  });
  return at::cat(hidden);
}

at::Tensor Model::Impl::through_rest(int64_t first_layer, at::Tensor hidden,
                                     std::span<const Feed> feeds,
                                     const BeforeAttention& before) const {
  const auto rope = rope_at(feeds, hidden.options());
  for (int64_t layer = first_layer; layer < spec.config.layers; ++layer) {
    through_layer_together(layer, hidden, rope, feeds, before);
  }
  return rms_norm(hidden, weights.final_norm, spec.config.norm_eps);
}

at::Tensor Model::forward_together(std::span<const Feed> feeds,
                                   const BeforeAttention& before) const {
  const at::AutoDispatchBelowADInplaceOrView no_autograd;
  const auto through = [&](std::span<const Feed> some) {
    return impl_->through_rest(0, impl_->embed_each(some), some, before);
  };
  const auto hidden = before ? through(feeds)  // it is shown all sequences
                             : impl_->in_runs(feeds, [&](const ThreadRun& run) {
                                 return through(feeds.subspan(run.first, run.count));
                               });
  for (const auto& feed : feeds) feed.cache->commit(static_cast<int64_t>(feed.ids.size()));
  return hidden;
}

at::Tensor Model::logits(const at::Tensor& hidden) const {
  const at::AutoDispatchBelowADInplaceOrView no_autograd;
  auto logits = project_rows_to_f32(hidden, impl_->weights.lm_head);
  impl_->check_finite(logits);
  return logits;
}

}  // namespace kvcal
