// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
#include "kvcal/profile/layer_budget.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {

double relative_output_error(const at::Tensor& full, const at::Tensor& compressed,
                             const at::Tensor& output_weight) {
  const auto weight = output_weight.to(at::kFloat);
  const auto full_output = at::linear(full.to(at::kFloat), weight);              // [new, hidden]
  const auto compressed_output = at::linear(compressed.to(at::kFloat), weight);  // [new, hidden]
  const double difference = (compressed_output - full_output).norm().item<double>();
  return difference / (full_output.norm().item<double>() + 1e-5);  // 1e-5: modeling_llama_new.py
}

EvictionErrorObserver::EvictionErrorObserver(std::vector<CompactLayer> evicted)
    : evicted_(std::move(evicted)), sum_(evicted_.size()) {}

void EvictionErrorObserver::after_attention(const AttentionStep& step) {
  const auto index = static_cast<size_t>(step.layer);
  const CacheLayer evicted{evicted_[index], step.cache.tail_keys, step.cache.tail_values};
  const auto output = ragged_attention(step.queries, evicted, step.scale)  // [heads, new, head_dim]
                          .transpose(0, 1)
                          .reshape(step.output.sizes());
  sum_[index] += relative_output_error(step.output, output, step.output_weight);
  if (index == 0) ++steps_;
}

namespace {

/// Several observers of one run.
struct Observers : LayerObserver {
  std::vector<EvictionErrorObserver> all;
  void after_attention(const AttentionStep& step) override {
    for (auto& observer : all) observer.after_attention(step);
  }
};

/// [layers] of what the method keeps; the whole prompt where the budget is not below it.
std::vector<CompactLayer> evicted_layers(const Method& method, int64_t budget_tokens,
                                         int64_t layers, Compressor& compressor) {
  const auto compression = compressor.compress(method, budget_tokens, 1);
  std::vector<CompactLayer> evicted;
  for (int64_t layer = 0; layer < layers; ++layer) {
    evicted.push_back(compression.cache.layer(layer).prefix);
  }
  return evicted;
}

/// [layers, points] of sums over the same steps.
std::vector<double> curve_of(std::span<const EvictionErrorObserver> points, int64_t layers) {
  std::vector<double> curve;
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (const auto& point : points) curve.push_back(point.sum()[static_cast<size_t>(layer)]);
  }
  return curve;
}

}  // namespace

LayerErrorSample measure_layer_error(const Model& model, const Tokenizer& tokenizer,
                                     const ChatFormat& chat, const ProfileFacts& facts,
                                     const Method& method, const ErrorBudgets& budgets,
                                     const Sample& sample, uint64_t seed) {
  const auto& config = model.config();
  LayerErrorSample result;
  result.prompt_sha256 = sha256(prompt_text(sample, chat));
  result.sum.resize(static_cast<size_t>(config.layers));
  result.curve.resize(result.sum.size() * budgets.curve.size());
  const auto prompt = tokenize_prompt(sample, chat, tokenizer, Visibility::aware);
  const int64_t needed = prompt.total() + sample.max_new_tokens;
  require(needed <= config.max_tokens, Kind::input,
          "sample {}: {} prompt tokens + {} new ones, the model takes {}", sample.id,
          prompt.total(), sample.max_new_tokens, config.max_tokens);
  if (prompt.total() <= budgets.tokens) return result;

  auto prefilled = prefill(model, prompt.context, method.needs());
  gather_more({model, tokenizer, chat}, sample.chat, prefilled);
  Compressor compressor(model, prefilled, facts, stable_hash(sample.id, seed));
  Observers observers;
  observers.all.emplace_back(evicted_layers(method, budgets.tokens, config.layers, compressor));
  for (const int64_t tokens : budgets.curve) {
    observers.all.emplace_back(evicted_layers(method, tokens, config.layers, compressor));
  }
  auto full = prefilled.cache.sealed(sample.max_new_tokens);
  // The token that the prefill itself produced is not measured: only decode steps are.
  generate(model, full, prefilled.last_logits, sample.max_new_tokens, stop_rule(sample, config),
           &observers);
  result.sum = observers.all.front().sum();
  result.curve = curve_of(std::span(observers.all).subspan(1), config.layers);
  result.steps = observers.all.front().steps();
  return result;
}

void require_storable(const std::string& allocator) {
  require(!find_allocator(allocator).make({})->depends_on_prompt(), Kind::config,
          "allocator {} splits each prompt's budget anew, need one whose split can be stored "
          "(uniform, layer_error, head_score)",
          allocator);
}

std::vector<int64_t> allocate_for_profile(const std::string& allocator, int64_t budget_tokens,
                                          const ModelConfig& model, const ProfileFacts& facts) {
  require_storable(allocator);
  const auto rule = find_allocator(allocator).make({});
  AllocationRequest request;
  request.layers = model.layers;
  request.kv_heads = model.kv_heads;
  request.tokens = model.max_tokens;
  request.budget_tokens = budget_tokens;
  request.profile = &facts;
  const auto kept = rule->allocate(request).contiguous();
  const int64_t* begin = kept.const_data_ptr<int64_t>();
  return {begin, begin + kept.numel()};
}

}  // namespace kvcal
