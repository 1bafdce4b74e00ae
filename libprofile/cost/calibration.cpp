// SPDX-License-Identifier: Apache-2.0
// What this machine does in a second, by the very kernels that a forward pass calls.
#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

#include "kvcal/compress/compact_cache.hpp"
#include "kvcal/compress/kernels.hpp"
#include "kvcal/profile/device.hpp"
#include "model/layer_ops.hpp"
#include "model/projection.hpp"
#include "model/rope.hpp"

namespace kvcal {
namespace {

const int64_t kChunkTokens = ModelOptions().prefill_chunk_tokens;
constexpr int64_t kSeenTokens = 4096;               // by the last token of the chunk
constexpr int64_t kBatchRows = 32;                  // variants that decode together
constexpr int64_t kStreamBytes = int64_t{1} << 28;  // beyond any cache
constexpr double kScale = 0.1;                      // of logits: no cost depends on it
constexpr double kLeastSeconds = 0.25;              // of repeats, whose mean counts

/// The mean, not the least: beside other work a run takes what it gets.
double mean_seconds(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  work();  // pages are touched, kernels are chosen
  const auto begin = Clock::now();
  double seconds = 0;
  int64_t repeats = 0;
  while (seconds < kLeastSeconds) {
    work();
    ++repeats;
    seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return seconds / static_cast<double>(repeats);
}

/// The four products of one layer: [out, in] of each.
std::vector<at::Tensor> layer_weights(const ModelConfig& model, const at::TensorOptions& options) {
  const int64_t width = model.heads * model.head_dim;
  const int64_t kv_width = model.kv_heads * model.head_dim;
  const auto weight = [&](int64_t out, int64_t in) { return at::full({out, in}, 0.5, options); };
  return {weight(width + 2 * kv_width, model.hidden), weight(model.hidden, width),
          weight(2 * model.intermediate, model.hidden), weight(model.hidden, model.intermediate)};
}

/// What a layer does to `rows` tokens besides products and attention: norms, rotation, gate.
class BetweenProducts {
 public:
  BetweenProducts(const ModelConfig& model, int64_t rows, const at::TensorOptions& options)
      : rotated_heads_(model.heads + model.kv_heads),
        residual_(at::full({rows, model.hidden}, 0.5, options)),
        norm_weight_(at::full({model.hidden}, 0.5, options)),
        gate_up_(at::full({rows, 2 * model.intermediate}, 0.5, options)),
        heads_(at::full({rows, model.heads + 2 * model.kv_heads, model.head_dim}, 0.5, options)),
        rope_{at::full({rows, model.head_dim / 2}, 0.5, options),
              at::full({rows, model.head_dim / 2}, 0.5, options)} {}

  void run() {
    for (int i = 0; i < 2; ++i) residual_.add_(rms_norm(residual_, norm_weight_, 1e-5));
    apply_rope_(heads_.narrow(1, 0, rotated_heads_), rope_);
    gated_silu(gate_up_);
  }
  const at::Tensor& heads() const { return heads_; }

 private:
  int64_t rotated_heads_;
  at::Tensor residual_, norm_weight_, gate_up_, heads_;
  RopeTable rope_;
};

using Product = std::function<void(const at::Tensor&, const at::Tensor&)>;

/// FLOP/s of `rows` rows through these products, with what `between` does after all of them.
double product_flops(
    const std::vector<at::Tensor>& weights, int64_t rows, const Product& product,
    const std::function<void()>& between = [] {}) {
  std::vector<at::Tensor> inputs;
  double flop = 0;
  for (const auto& weight : weights) {
    inputs.push_back(at::full({rows, weight.size(1)}, 0.5, weight.options()));
    flop += 2.0 * static_cast<double>(rows * weight.numel());
  }
  return flop / mean_seconds([&] {
           for (size_t i = 0; i < weights.size(); ++i) product(inputs[i], weights[i]);
           between();
         });
}

/// A chunk that sees kSeenTokens: what attention of it, and sums over its columns, do in a second.
struct ChunkAttention {
  const ModelConfig& model;
  at::TensorOptions options;
  at::Tensor queries = at::rand({model.heads, kChunkTokens, model.head_dim}, options);
  at::Tensor keys = at::rand({model.kv_heads, kSeenTokens, model.head_dim}, options);
  at::Tensor values = at::rand({model.kv_heads, kSeenTokens, model.head_dim}, options);
  at::Tensor sums = at::zeros({model.heads, kSeenTokens}, at::kFloat);

  /// Of queries with keys.
  double flop() const {
    const int64_t pairs = kChunkTokens * kSeenTokens - kChunkTokens * (kChunkTokens - 1) / 2;
    return 2.0 * static_cast<double>(model.heads * model.head_dim * pairs);
  }
  double attention_flops() const {
    return 2 * flop() / mean_seconds([&] { causal_attention(queries, keys, values, kScale); });
  }
  double column_flops() {
    return flop() / mean_seconds([&] { add_column_sums(queries, keys, kScale, sums); });
  }
};

/// Of a decode step of one sequence, besides products; at this size it is starting the kernels that
/// takes the time.
double layer_seconds(const ModelConfig& model, const at::TensorOptions& options) {
  BetweenProducts between(model, 1, options);
  CompactCache cache(1, model.kv_heads, model.head_dim, /*tail_capacity=*/1, options);
  const auto entries = at::full({model.kv_heads, 1, model.head_dim}, 0.5, options);
  return mean_seconds([&] {
    between.run();
    cache.append(0, entries, entries);
    const std::vector<CacheLayer> seen{cache.layer(0, 1)};
    const std::vector<at::Tensor> queries{
        between.heads().narrow(1, 0, model.heads).transpose(0, 1)};  // [heads, 1, head_dim]
    ragged_attention_batch(queries, seen, kScale);
  });
}

/// Layers enough that no cache holds them.
std::vector<at::Tensor> streamed_weights(const ModelConfig& model,
                                         const at::TensorOptions& options) {
  std::vector<at::Tensor> weights;
  for (int64_t total = 0; total < kStreamBytes;) {
    for (auto& weight : layer_weights(model, options)) {
      total += static_cast<int64_t>(weight.nbytes());
      weights.push_back(std::move(weight));
    }
  }
  return weights;
}

}  // namespace

Device measure_cpu(const ModelConfig& model, int64_t element_bytes) {
  const at::TensorOptions options(element_bytes == 4 ? at::kFloat : at::kBFloat16);
  const auto by_row = [](const auto& x, const auto& weight) { project_rows(x, weight, {}); };
  const auto at_once = [](const auto& x, const auto& weight) { project(x, weight, {}); };
  const at::AutoDispatchBelowADInplaceOrView no_autograd;
  const auto streamed = streamed_weights(model, options);
  Device device;
  device.name = "this machine";
  BetweenProducts between(model, kChunkTokens, options);
  device.matrix_flops =
      product_flops(layer_weights(model, options), kChunkTokens, at_once, [&] { between.run(); });
  device.row_flops = product_flops(streamed, kBatchRows, by_row);
  ChunkAttention attention{model, options};
  device.attention_flops = attention.attention_flops();
  device.column_flops = attention.column_flops();
  // Of one row, two operations for each weight: that is the time its bytes take.
  device.bytes_per_second =
      product_flops(streamed, 1, by_row) / 2 * static_cast<double>(element_bytes);
  device.layer_seconds = layer_seconds(model, options);
  return device;
}

}  // namespace kvcal
