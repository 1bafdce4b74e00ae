// SPDX-License-Identifier: Apache-2.0
// forward_together in two parts. Sequences whose caches are alike below a layer have the same
// residual stream there: it is found once, and each goes on from it.
#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "kvcal/compress/error.hpp"
#include "model/layer_ops.hpp"
#include "model/model_impl.hpp"

namespace kvcal {
namespace {

/// Of all rows, those of a run of sequences.
at::Tensor rows_of(const ThreadRun& run, std::span<const Feed> feeds, const at::Tensor& rows) {
  const auto tokens = [](std::span<const Feed> some) {
    int64_t count = 0;
    for (const auto& feed : some) count += static_cast<int64_t>(feed.ids.size());
    return count;
  };
  return rows.narrow(0, tokens(feeds.first(run.first)),
                     tokens(feeds.subspan(run.first, run.count)));
}

}  // namespace

std::vector<at::Tensor> Model::residual_stream(std::span<const Feed> feeds) const {
  const at::AutoDispatchBelowADInplaceOrView no_autograd;
  auto hidden = impl_->embed_each(feeds);
  const auto rope = impl_->rope_at(feeds, hidden.options());
  std::vector<at::Tensor> stream;
  for (int64_t layer = 0; layer < config().layers; ++layer) {
    stream.push_back(hidden.clone());
    // What the last layer makes of it goes nowhere.
    if (layer + 1 < config().layers) {
      impl_->through_layer_together(layer, hidden, rope, feeds, {});
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
  return impl_->in_runs(feeds, [&](const ThreadRun& run) {
    return impl_->through_rest(layer, rows_of(run, feeds, hidden).clone(),
                               feeds.subspan(run.first, run.count), {});
  });
}

}  // namespace kvcal
