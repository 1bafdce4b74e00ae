// SPDX-License-Identifier: Apache-2.0
// Model: the forward pass of Llama-like decoders, chunk by chunk, layer by layer.
#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include <algorithm>
#include <cmath>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/model.hpp"
#include "model/attention.hpp"
#include "model/layer_ops.hpp"
#include "model/model_impl.hpp"
#include "model/projection.hpp"

namespace kvcal {
namespace {

at::Device parse_device(const std::string& text) {
  try {
    const at::Device device(text);
    require(device.is_cpu() || device.is_cuda(), Kind::config, "device = {}, need cpu or cuda:N",
            text);
    require(device.is_cpu() || at::hasCUDA(), Kind::config,
            "device = {}, but this LibTorch has no CUDA device, need cpu", text);
    return device;
  } catch (const c10::Error&) {
    fail(Kind::config, "device = {}, need cpu or cuda:N", text);
  }
}

}  // namespace

void Model::Impl::check(std::span<const int64_t> ids, const CompactCache& cache) const {
  const auto& config = spec.config;
  const auto tokens = static_cast<int64_t>(ids.size());
  require(tokens > 0, Kind::input, "{}: no token to feed, need at least 1", config.name);
  for (size_t i = 0; i < ids.size(); ++i) {
    require(ids[i] >= 0 && ids[i] < config.vocab, Kind::input,
            "{}: token {} has id {}, need 0 .. {}", config.name, i, ids[i], config.vocab - 1);
  }
  const int64_t end = cache.next_position() + tokens;
  require(end <= config.max_tokens, Kind::input,
          "{}: sequence of {} tokens, the model takes at most {}", config.name, end,
          config.max_tokens);
  require(cache.layers() == config.layers && cache.kv_heads() == config.kv_heads &&
              cache.head_dim() == config.head_dim,
          Kind::internal, "{}: cache of {} layers, {} KV heads, head_dim {}, need {}, {}, {}",
          config.name, cache.layers(), cache.kv_heads(), cache.head_dim(), config.layers,
          config.kv_heads, config.head_dim);
  require(cache.tail_tokens() + tokens <= cache.tail_capacity(), Kind::internal,
          "{}: cache tail holds {} of {} tokens, no room for {} more", config.name,
          cache.tail_tokens(), cache.tail_capacity(), tokens);
}

HeadVectors split_heads(const ModelSpec& spec, const LayerWeights& weights, const at::Tensor& qkv,
                        const RopeTable& rope, bool wants_before_rope) {
  const auto& config = spec.config;
  HeadVectors vectors{qkv.narrow(1, 0, config.heads), qkv.narrow(1, config.heads, config.kv_heads),
                      qkv.narrow(1, config.heads + config.kv_heads, config.kv_heads), at::Tensor()};
  if (spec.has_qk_norm) {
    vectors.queries.copy_(rms_norm(vectors.queries, weights.query_norm, config.norm_eps));
    vectors.keys.copy_(rms_norm(vectors.keys, weights.key_norm, config.norm_eps));
  }
  if (wants_before_rope) vectors.queries_before_rope = vectors.queries.transpose(0, 1).clone();
  apply_rope_(qkv.narrow(1, 0, config.heads + config.kv_heads), rope);
  return vectors;
}

at::Tensor Model::Impl::embed(std::span<const int64_t> ids) const {
  const auto count = static_cast<int64_t>(ids.size());
  const auto on_host = at::from_blob(const_cast<int64_t*>(ids.data()), {count}, at::kLong);
  return at::embedding(weights.embedding, on_host.to(weights.embedding.device()));
}

void Model::Impl::check_finite(const at::Tensor& logits) const {
  // One infinity or NaN makes the sum one; finite logits are far from the range of f32.
  if (std::isfinite(logits.sum().item<float>())) return;
  const auto bad = weights.not_finite();
  fail(Kind::numeric, "{}: logits are not finite{}", spec.config.name,
       bad.empty() ? std::string(": try dtype f32")
                   : fmt::format(": the {} holds NaN or infinity", bad));
}

/// Projections, RoPE, cache, attention and output projection of one layer.
at::Tensor Model::Impl::attention_block(int64_t layer, const at::Tensor& normed,
                                        const RopeTable& rope, const Feed& feed,
                                        LayerObserver* observer) const {
  const auto& weights_of = weights.layers[static_cast<size_t>(layer)];
  const auto qkv = project(normed, weights_of.qkv, weights_of.qkv_bias)
                       .view({normed.size(0), -1, spec.config.head_dim});
  const bool wants_before_rope = observer != nullptr && observer->wants_queries_before_rope();
  const auto [queries, keys, values, before_rope] =
      split_heads(spec, weights_of, qkv, rope, wants_before_rope);
  feed.cache->append(layer, keys.transpose(0, 1), values.transpose(0, 1));
  const CacheLayer seen = feed.cache->layer(layer, static_cast<int64_t>(feed.ids.size()));
  const auto by_head = queries.transpose(0, 1);                  // [heads, new, head_dim]
  const auto output = attend(by_head, seen, attention_scale());  // [new, heads * head_dim]
  if (observer != nullptr) {
    observer->after_attention({layer, feed.cache->next_position(), by_head, seen, output,
                               weights_of.output, attention_scale(), normed, before_rope});
  }
  return project(output, weights_of.output, weights_of.output_bias);
}

RopeTable Model::Impl::rope_at(std::span<const Feed> feeds,
                               const at::TensorOptions& options) const {
  std::vector<float> positions;  // exact: far below 2^24
  for (const auto& feed : feeds) {
    const int64_t first = feed.cache->next_position();
    for (size_t i = 0; i < feed.ids.size(); ++i) {
      positions.push_back(static_cast<float>(first + static_cast<int64_t>(i)));
    }
  }
  const auto of_tokens = at::tensor(positions, at::kFloat).to(options.device());
  return make_rope_table(rope_frequencies, of_tokens, options);
}

at::Tensor Model::Impl::run_layers(const Feed& feed, LayerObserver* observer) const {
  const auto hidden = embed(feed.ids);  // [new, hidden]
  const auto rope = rope_at({&feed, 1}, hidden.options());
  const auto attention = [&](int64_t layer, const at::Tensor& normed) {
    return attention_block(layer, normed, rope, feed, observer);
  };
  return through_layers(hidden, attention, project);
}

void Model::Impl::write_logits(const at::Tensor& hidden, at::Tensor out) const {
  out.copy_(
      project_to_f32(rms_norm(hidden, weights.final_norm, spec.config.norm_eps), weights.lm_head));
  check_finite(out);
}

Model Model::load(const std::filesystem::path& directory, const ModelOptions& options) {
  require(options.prefill_chunk_tokens >= 1, Kind::config, "prefill_chunk_tokens = {}, need >= 1",
          options.prefill_chunk_tokens);
  const at::Device device = parse_device(options.device);
  auto impl = std::make_unique<Impl>();
  impl->spec = read_model_spec(directory);
  impl->weights = load_weights(directory, impl->spec, options.dtype, device);
  impl->rope_frequencies = kvcal::rope_frequencies(impl->spec).to(device);
  impl->chunk_tokens = options.prefill_chunk_tokens;
  return Model(std::move(impl));
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

const ModelConfig& Model::config() const {
  return impl_->spec.config;
}

at::TensorOptions Model::cache_options() const {
  return at::TensorOptions(impl_->weights.embedding.scalar_type())
      .device(impl_->weights.embedding.device());
}

int64_t Model::element_bytes() const {
  return static_cast<int64_t>(impl_->weights.embedding.itemsize());
}

int64_t Model::weight_bytes() const {
  return impl_->weights.bytes();
}

int64_t Model::prefill_chunk_tokens() const {
  return impl_->chunk_tokens;
}

CompactCache Model::make_cache(int64_t tail_capacity) const {
  const auto& config = impl_->spec.config;
  return {config.layers, config.kv_heads, config.head_dim, tail_capacity, cache_options()};
}

at::Tensor Model::forward(std::span<const int64_t> ids, CompactCache& cache, LogitsWanted wanted,
                          LayerObserver* observer) const {
  // As fast as InferenceMode, but what leaves are plain tensors, which callers may change in place.
  const at::AutoDispatchBelowADInplaceOrView no_autograd;
  impl_->check(ids, cache);
  const auto total = static_cast<int64_t>(ids.size());
  if (total == 1 && wanted != LogitsWanted::none) {
    const DecodeRow row{ids.front(), &cache};
    const auto logits = impl_->run_decode({&row, 1}, observer);
    cache.commit(1);
    return logits;
  }
  const int64_t rows = wanted == LogitsWanted::all ? total : wanted == LogitsWanted::last ? 1 : 0;
  const auto logits =
      at::empty({rows, config().vocab}, impl_->weights.embedding.options().dtype(at::kFloat));
  const int64_t tail_before = cache.tail_tokens();
  try {
    for (int64_t begin = 0; begin < total; begin += impl_->chunk_tokens) {
      const int64_t fresh = std::min(impl_->chunk_tokens, total - begin);
      const Feed chunk{ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(fresh)), &cache};
      const auto hidden = impl_->run_layers(chunk, observer);
      cache.commit(fresh);
      const bool is_last = begin + fresh == total;
      if (wanted == LogitsWanted::all) impl_->write_logits(hidden, logits.narrow(0, begin, fresh));
      if (wanted == LogitsWanted::last && is_last) {
        impl_->write_logits(hidden.narrow(0, fresh - 1, 1), logits);
      }
    }
  } catch (...) {
    cache.truncate_tail(tail_before);  // as it was before the call
    throw;
  }
  return logits;
}

const at::Tensor& Model::output_weight(int64_t layer) const {
  return impl_->weights.layers.at(static_cast<size_t>(layer)).output;
}

const at::Tensor& Model::rope_frequencies() const {
  return impl_->rope_frequencies;
}

}  // namespace kvcal
