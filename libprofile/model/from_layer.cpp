// SPDX-License-Identifier: Apache-2.0
// forward_together in two parts. Sequences whose caches are alike below a layer have the same
// residual stream there: it is found once, and each goes on from it.
#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "kvcal/compress/error.hpp"
#include "model/layer_ops.hpp"
#include "model/model_impl.hpp"
#include "model/projection.hpp"

namespace kvcal {
namespace {

std::vector<int64_t> ids_of(std::span<const Feed> feeds) {
  std::vector<int64_t> ids;
  for (const auto& feed : feeds) ids.insert(ids.end(), feed.ids.begin(), feed.ids.end());
  return ids;
}

}  // namespace

std::vector<at::Tensor> Model::residual_stream(std::span<const Feed> feeds) const {
  const at::AutoDispatchBelowADInplaceOrView no_autograd;
  require(!feeds.empty(), Kind::internal, "no sequence to feed, need at least 1");
  for (const auto& feed : feeds) impl_->check(feed.ids, *feed.cache);
  auto hidden = impl_->embed(ids_of(feeds));  // [all new tokens, hidden]
  const auto rope = impl_->rope_at(feeds, hidden.options());
  const auto attention = [&](int64_t layer, const at::Tensor& normed) {
    return impl_->attention_together(layer, normed, rope, feeds, {});
  };
  std::vector<at::Tensor> stream;
  for (int64_t layer = 0; layer < config().layers; ++layer) {
    stream.push_back(hidden.clone());
    // What the last layer makes of it goes nowhere.
    if (layer + 1 < config().layers) {
      impl_->through_layer(layer, hidden, attention, project_rows);
    }
  }
  return stream;
}

at::Tensor Model::forward_from(int64_t layer, const at::Tensor& hidden,
                               std::span<const Feed> feeds) const {
  const at::AutoDispatchBelowADInplaceOrView no_autograd;
  int64_t tokens = 0;
  for (const auto& feed : feeds) {
    impl_->check(feed.ids, *feed.cache);
    tokens += static_cast<int64_t>(feed.ids.size());
  }
  require(layer >= 0 && layer < config().layers && hidden.size(0) == tokens, Kind::internal,
          "{} rows of {} tokens enter layer {} of {}", hidden.size(0), tokens, layer,
          config().layers);
  auto stream = hidden.clone();
  const auto rope = impl_->rope_at(feeds, stream.options());
  const auto attention = [&](int64_t at, const at::Tensor& normed) {
    return impl_->attention_together(at, normed, rope, feeds, {});
  };
  for (int64_t at = layer; at < config().layers; ++at) {
    impl_->through_layer(at, stream, attention, project_rows);
  }
  return rms_norm(stream, impl_->weights.final_norm, config().norm_eps);
}

}  // namespace kvcal
