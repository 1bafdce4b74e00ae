// SPDX-License-Identifier: Apache-2.0
/// Top: the best scores of each KV head stay.
///
/// Source   what all methods do that name no other rule.
/// Rule     the kept[k] highest scores of KV head k; equal scores go to the earlier token. The
/// first
///          protect_first and the last protect_last tokens go before all others but protected ones,
///          whatever their score (LU-KV: 4 and 1).
/// Differs  none.
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "kvcal/compress/selector.hpp"

namespace kvcal {
namespace {

struct Top final : Selector {
  struct Params {
    int64_t protect_first = 0;
    int64_t protect_last = 0;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("protect_first", protect_first, at_least(0),
              "first tokens kept whatever their score");
      v.field("protect_last", protect_last, at_least(0), "last tokens kept whatever their score");
    }
  };

  explicit Top(const Params& params) : params_(params) {}

  Needs needs() const override { return {}; }

  KeepSet select(const SelectionRequest& request) const override {
    if (params_.protect_first + params_.protect_last == 0) {
      return select_top(request.scores, request.kept);
    }
    auto scores = request.scores.clone();  // [kv_heads, tokens]
    const int64_t tokens = scores.size(1);
    const int64_t first = std::min(params_.protect_first, tokens);
    const int64_t last = std::min(params_.protect_last, tokens);
    // The largest number, not infinity: a KV head whose share is smaller keeps what it may.
    scores.narrow(1, 0, first).clamp_min_(std::numeric_limits<float>::max());
    scores.narrow(1, tokens - last, last).clamp_min_(std::numeric_limits<float>::max());
    return select_top(scores, request.kept);
  }

 private:
  Params params_;
};

}  // namespace

extern constexpr SelectorInfo selector_top =
    describe_selector<Top>("top", "the best scores of each KV head");

}  // namespace kvcal
