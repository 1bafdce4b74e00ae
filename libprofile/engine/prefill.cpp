// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <chrono>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/engine.hpp"

namespace kvcal {
namespace {

/// Keeps the queries of the last `window` tokens of each layer; chunks come in order.
class WindowObserver : public LayerObserver {
 public:
  WindowObserver(int64_t layers, int64_t window)
      : window_(window), queries_(static_cast<size_t>(layers)) {}

  void after_attention(const AttentionStep& step) override {
    auto& kept = queries_[static_cast<size_t>(step.layer)];
    auto latest = step.queries;  // [heads, new, head_dim]
    if (latest.size(1) > window_) latest = latest.narrow(1, latest.size(1) - window_, window_);
    // A copy, or the view would hold the whole chunk's queries.
    kept = kept.defined() ? at::cat({kept, latest}, 1) : latest.clone();
    if (kept.size(1) > window_) kept = kept.narrow(1, kept.size(1) - window_, window_).clone();
  }

  std::vector<at::Tensor> take() { return std::move(queries_); }

 private:
  int64_t window_;
  std::vector<at::Tensor> queries_;
};

}  // namespace

Prefilled prefill(const Model& model, std::span<const int64_t> ids, int64_t window_tokens) {
  const auto start = std::chrono::steady_clock::now();
  Prefilled prompt{model.make_cache(static_cast<int64_t>(ids.size())), {}, {}, {}, 0, 0};
  WindowObserver observer(model.config().layers, window_tokens);
  prompt.last_logits =
      model.forward(ids, prompt.cache, LogitsWanted::last, window_tokens > 0 ? &observer : nullptr);
  prompt.window_queries = observer.take();
  prompt.statistics.resize(prompt.window_queries.size());
  prompt.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return prompt;
}

}  // namespace kvcal
