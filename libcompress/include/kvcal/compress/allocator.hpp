// SPDX-License-Identifier: Apache-2.0
// Allocator: how many KV entries may stay in each layer and KV head. Which ones is the scorer's.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <string_view>

#include "kvcal/compress/layer_view.hpp"
#include "kvcal/compress/params.hpp"

namespace kvcal {

struct AllocationRequest {
  int64_t layers = 0;
  int64_t kv_heads = 0;
  int64_t tokens = 0;  ///< prompt tokens; no KV head can keep more
  int64_t budget_tokens =
      0;  ///< B: entries kept per layer and KV head on average, protected included
  /// Scores of each layer as the scorer gave them, [kv_heads, tokens] f32.
  std::span<const at::Tensor> scores;
  /// What Allocator::measure returned for each layer.
  std::span<const at::Tensor> measures;
  const ProfileFacts* profile = nullptr;

  int64_t total() const { return budget_tokens * layers * kv_heads; }
};

class Allocator {
 public:
  virtual ~Allocator() = default;

  virtual Needs needs() const = 0;

  /// What `allocate` has to know of one layer besides its scores; taken once a prompt, whatever the
  /// number of budgets. Undefined for rules that need nothing.
  virtual at::Tensor measure(const LayerView&) const { return {}; }

  /// False for rules that reproduce another code's rounding and so miss the total; the results then
  /// say what was kept.
  virtual bool is_exact() const { return true; }

  /// True for rules that look at the prompt (its length, scores, measures): their budgets cannot be
  /// computed once and stored in a profile.
  virtual bool depends_on_prompt() const { return false; }

  /// Splits request.total() entries.
  ///
  /// @param request  budget_tokens < tokens (longer budgets keep the prompt whole: the engine's
  /// business)
  /// @return  [layers, kv_heads] i64 on the CPU, each in 0 .. tokens, not below the protected
  /// (+inf)
  ///          scores of its KV head, sum exactly request.total() if is_exact()
  /// @throws  Error{Kind::config}  the budget is below what the rule needs
  virtual at::Tensor allocate(const AllocationRequest& request) const = 0;
};

/// One row of the generated table; allocators/<stem>.cpp ends in
/// `extern constexpr AllocatorInfo allocator_<stem> =
///      describe_allocator<Class>("<stem>", "one line");`
struct AllocatorInfo {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Allocator> (*make)(const ParamMap& params);
  std::vector<FieldInfo> (*fields)();
};

template <class T>
constexpr AllocatorInfo describe_allocator(std::string_view name, std::string_view summary) {
  return {name, summary,
          [](const ParamMap& map) -> std::unique_ptr<Allocator> {
            return std::make_unique<T>(read_params<typename T::Params>(map));
          },
          [] { return list_fields<typename T::Params>(); }};
}

std::span<const AllocatorInfo* const> allocator_table();

/// @throws Error{config} unknown name: lists the known ones and the nearest
const AllocatorInfo& find_allocator(std::string_view name);

/// [layers, kv_heads] i64: entries that the scores protect (+inf).
at::Tensor count_protected(std::span<const at::Tensor> scores);

/// CompressKV's error-aware budgets of layers (arXiv:2508.02401; its
/// error_aware_layer_budget_allocation): minimum for all, the rest in proportion to importance,
/// clipped, then moved one token at a time until the sum is exact.
///
/// @param importance  [layers] >= 0, sums to 1
/// @param min_tokens, max_tokens  per layer; layers * min <= total <= layers * max
/// @return  [layers] token budgets, sum exactly total
std::vector<int64_t> allocate_by_layer_error(std::span<const double> importance, int64_t total,
                                             int64_t min_tokens, int64_t max_tokens);

}  // namespace kvcal
