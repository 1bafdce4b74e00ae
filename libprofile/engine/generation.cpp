// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>

#include "kvcal/profile/engine.hpp"

namespace kvcal {
namespace {

/// Lowest id among equal logits; at::argmax leaves ties open.
int64_t greedy_choice(const at::Tensor& logits) {
  const auto row = logits.reshape({-1}).to(at::kCPU).contiguous();  // [vocab]
  const float* begin = row.const_data_ptr<float>();
  return std::max_element(begin, begin + row.numel()) - begin;
}

}  // namespace

Generation generate(const Model& model, CompactCache& cache, const at::Tensor& first_logits,
                    int64_t max_new_tokens, std::span<const int64_t> stop_ids,
                    LayerObserver* observer, const std::function<bool(int64_t)>& on_token) {
  const auto start = std::chrono::steady_clock::now();
  Generation generation;
  at::Tensor logits = first_logits;
  while (static_cast<int64_t>(generation.ids.size()) < max_new_tokens) {
    const int64_t id = greedy_choice(logits);
    const bool goes_on = !on_token || on_token(id);
    if (std::find(stop_ids.begin(), stop_ids.end(), id) != stop_ids.end()) break;
    generation.ids.push_back(id);
    if (!goes_on || static_cast<int64_t>(generation.ids.size()) == max_new_tokens) break;
    logits = model.forward(std::span(&id, 1), cache, LogitsWanted::last, observer);
    ++generation.steps;
  }
  generation.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return generation;
}

}  // namespace kvcal
