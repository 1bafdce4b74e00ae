// SPDX-License-Identifier: Apache-2.0
/// Duo: retrieval heads keep everything, the others attention sinks and recent tokens.
///
/// Source   arXiv:2410.10819 (DuoAttention); kvpress `presses/duo_attention_press.py` (0.5.5).
/// Rule     every KV head keeps sink_tokens + recent_tokens of the profile's pattern; in the order
///          of the pattern, highest first (equals: the first layer, then the first KV head), KV
///          heads keep all tokens while the total allows; the next one gets what is left over.
///          Meant for the scorer streaming_llm with the pattern's sink_tokens: then a streaming
///          head keeps just the pattern's sinks and recent tokens.
/// Differs  from kvpress: the budget says how many heads retrieve (there a share of heads says it),
///          and one KV head is cut in between, so that the total is exact. A budget below
///          sink_tokens + recent_tokens is refused.
/// Checked  unit/duo_test.cpp.
#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include "budget_split.hpp"

namespace kvcal {
namespace {

struct Duo final : Allocator {
  struct Params {
    template <class Visitor>
    void visit(Visitor&) {}
  };

  explicit Duo(const Params&) {}

  Needs needs() const override {
    Needs needs;
    needs.streaming_pattern = true;
    return needs;
  }

  bool depends_on_prompt() const override { return true; }

  at::Tensor allocate(const AllocationRequest& request) const override {
    const auto& pattern = pattern_of(request);
    const int64_t streaming = std::max<int64_t>(pattern.sink_tokens + pattern.recent_tokens, 1);
    require_budget(request, streaming, "the pattern's sink_tokens + recent_tokens");
    auto kept = integers_of(protected_entries(request).clamp_min(streaming));
    int64_t left = request.total() - std::accumulate(kept.begin(), kept.end(), int64_t{0});
    require(left >= 0, Kind::config,
            "protected entries and streaming heads need {} entries more than the budget", -left);
    for (const size_t head : ranked(pattern)) {
      const int64_t added = std::min(left, request.tokens - kept[head]);
      kept[head] += added;
      left -= added;
    }
    return at::tensor(kept, at::kLong).view({request.layers, request.kv_heads});
  }

 private:
  static const StreamingPattern& pattern_of(const AllocationRequest& request) {
    require(request.profile != nullptr && request.profile->streaming_pattern.has_value(),
            Kind::config, "duo needs the streaming pattern of a profile");
    const auto& pattern = *request.profile->streaming_pattern;
    require(static_cast<int64_t>(pattern.retrieval.size()) == request.layers, Kind::config,
            "the streaming pattern of the profile has {} layers, the model has {}",
            pattern.retrieval.size(), request.layers);
    for (const auto& layer : pattern.retrieval) {
      require(static_cast<int64_t>(layer.size()) == request.kv_heads, Kind::config,
              "the streaming pattern of the profile has {} KV heads, the model has {}",
              layer.size(), request.kv_heads);
    }
    return pattern;
  }

  /// layer * kv_heads + KV head, most retrieving first.
  static std::vector<size_t> ranked(const StreamingPattern& pattern) {
    std::vector<double> flat;
    for (const auto& layer : pattern.retrieval) flat.insert(flat.end(), layer.begin(), layer.end());
    std::vector<size_t> order(flat.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return flat[a] > flat[b]; });
    return order;
  }
};

}  // namespace

extern constexpr AllocatorInfo allocator_duo =
    describe_allocator<Duo>("duo", "everything for retrieval heads, sinks and recent for others");

}  // namespace kvcal
