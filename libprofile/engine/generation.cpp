// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>

#include "engine/token_choice.hpp"

namespace kvcal {
namespace {

bool is_stop(int64_t id, const StopRule& stop) {
  return std::find(stop.ids.begin(), stop.ids.end(), id) != stop.ids.end();
}

/// Lowest id among equal logits; at::argmax leaves ties open.
int64_t greedy_choice(const at::Tensor& logits) {
  const auto row = logits.reshape({-1}).to(at::kCPU).contiguous();  // [vocab]
  const float* begin = row.const_data_ptr<float>();
  return std::find(begin, begin + row.numel(), row.amax().item<float>()) - begin;
}

/// The choice after `generated` tokens: the first ones may not be stop tokens.
int64_t choose(const at::Tensor& logits, int64_t generated, const StopRule& stop) {
  if (generated >= stop.min_new_tokens || stop.ids.empty()) return greedy_choice(logits);
  auto allowed = logits.reshape({-1}).clone();  // [vocab]
  for (int64_t id : stop.ids) allowed[id] = -std::numeric_limits<float>::infinity();
  return greedy_choice(allowed);
}

}  // namespace

bool take_token(Continuation& sequence, const at::Tensor& logits, const StopRule& stop) {
  auto& ids = sequence.generation.ids;
  const int64_t id = choose(logits, static_cast<int64_t>(ids.size()), stop);
  if (is_stop(id, stop)) {
    sequence.generation.stop_id = id;
    return false;
  }
  ids.push_back(id);
  return static_cast<int64_t>(ids.size()) < sequence.max_new_tokens;
}

StopRule stop_rule(const Sample& sample, const ModelConfig& model) {
  return {sample.stop_ids.empty() ? model.stop_ids : sample.stop_ids, sample.min_new_tokens};
}

Generation generate(const Model& model, CompactCache& cache, const at::Tensor& first_logits,
                    int64_t max_new_tokens, const StopRule& stop, LayerObserver* observer,
                    const std::function<bool(int64_t)>& on_token) {
  const auto start = std::chrono::steady_clock::now();
  Continuation sequence{&cache, first_logits, max_new_tokens};
  Generation& generation = sequence.generation;
  at::Tensor logits = first_logits;
  bool goes_on = max_new_tokens >= 1;
  while (goes_on) {
    goes_on = take_token(sequence, logits, stop);
    const int64_t id = generation.stop_id ? *generation.stop_id : generation.ids.back();
    if (on_token && !on_token(id)) goes_on = false;
    if (!goes_on) break;
    logits = model.forward(std::span(&id, 1), cache, LogitsWanted::last, observer);
    ++generation.steps;
  }
  generation.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return std::move(generation);
}

void generate_together(const Model& model, std::span<Continuation> sequences,
                       const StopRule& stop) {
  std::vector<Continuation*> running;
  for (auto& sequence : sequences) {
    if (sequence.max_new_tokens < 1) continue;
    if (take_token(sequence, sequence.first_logits, stop)) running.push_back(&sequence);
  }
  while (!running.empty()) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<DecodeRow> rows;
    for (const auto* sequence : running) {
      rows.push_back({sequence->generation.ids.back(), sequence->cache, sequence->mask});
    }
    const auto logits = model.decode(rows);  // [rows, vocab]
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::vector<Continuation*> going_on;
    for (size_t i = 0; i < running.size(); ++i) {
      running[i]->generation.seconds += seconds / static_cast<double>(running.size());
      ++running[i]->generation.steps;
      if (take_token(*running[i], logits[static_cast<int64_t>(i)], stop)) {
        going_on.push_back(running[i]);
      }
    }
    running = std::move(going_on);
  }
}

}  // namespace kvcal
