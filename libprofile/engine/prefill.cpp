// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "engine/prefill_statistics.hpp"
#include "kvcal/profile/engine.hpp"

namespace kvcal {

Prefilled prefill(const Model& model, std::span<const int64_t> ids, const Needs& needs) {
  const auto start = std::chrono::steady_clock::now();
  Prefilled prompt{model.make_cache(static_cast<int64_t>(ids.size())), {}, {}, {}, 0};
  PrefillStatistics gathered(model.config().layers, needs);
  prompt.last_logits = model.forward(ids, prompt.cache, LogitsWanted::last,
                                     gathered.is_needed() ? &gathered : nullptr);
  prompt.window_queries = gathered.window_queries();
  prompt.statistics = gathered.statistics();
  prompt.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return prompt;
}

}  // namespace kvcal
