// SPDX-License-Identifier: Apache-2.0
/// Critical: half of the entries by score, the rest by score times what the value writes.
///
/// Source   arXiv:2502.03805 (CriticalKV); kvpress `presses/criticalkv_press.py` (0.5.5),
///          CriticalKVPress and, with the allocator ada, CriticalAdaKVPress.
/// Rule     w[k, t] = mean over the heads h of KV head k of || Wo_h v_t ||_1, Wo_h = the columns of
///          the output projection that belong to head h;
///          the best n entries by score s stay, then the best by (s + score_epsilon) * w, with
///          n = max(1, floor(kept[k] * first_stage), floor(alpha * mean of kept)), at most kept[k].
///          The last term is what the allocator ada guarantees, and alpha is its parameter: in
///          CriticalAdaKVPress guaranteed entries stay, whatever their values. With equal counts it
///          changes nothing.
/// Differs  the first stage takes at least all protected entries. score_epsilon is on the scale of
/// the
///          scorer: kvpress's 1e-4 is meant for means over the window rows, and `snapkv` here sums
///          them, so a window of 8 rows wants 8e-4.
/// Cost     measure: time O(heads * tokens * hidden * head_dim), memory O(block * hidden) f32.
/// Checked  unit/critical_test.cpp, parity/compress (kvpress).
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "kvcal/compress/selector.hpp"

namespace kvcal {
namespace {

constexpr int64_t kBlockTokens = 2048;  // projected at a time: 32 MiB at hidden 4096

/// [tokens] f32: L1 norms of the rows of `values` [tokens, head_dim] after `weight`
/// [hidden, head_dim].
at::Tensor projected_norms(const at::Tensor& values, const at::Tensor& weight) {
  const auto columns = weight.to(at::kFloat).t();  // [head_dim, hidden]
  std::vector<at::Tensor> norms;
  for (const auto& block : values.split(kBlockTokens)) {
    norms.push_back(at::matmul(block.to(at::kFloat), columns).abs().sum(1));
  }
  return at::cat(norms);
}

struct Critical final : Selector {
  /// Of CriticalKVPress and CriticalAdaKVPress.
  struct Params {
    double first_stage = 0.5;
    double alpha = 0.2;
    double score_epsilon = 1e-4;
    template <class Visitor>
    void visit(Visitor& v) {
      v.field("first_stage", first_stage, between(0, 1),
              "share of the entries taken by score alone");
      v.field("alpha", alpha, between(0, 1), "share of the mean count taken by score alone");
      v.field("score_epsilon", score_epsilon, at_least(0),
              "added to scores before values weigh them");
    }
  };

  explicit Critical(const Params& params) : params_(params) {}

  Needs needs() const override { return {}; }

  /// @return  [kv_heads, tokens] f32: w
  at::Tensor measure(const LayerView& view) const override {
    const int64_t dim = view.head_dim();
    const int64_t heads = view.output_weight.size(1) / dim, group = heads / view.kv_heads();
    std::vector<at::Tensor> rows;
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      auto sum = at::zeros({view.tokens()}, view.values.options().dtype(at::kFloat));
      for (int64_t h = k * group; h < (k + 1) * group; ++h) {
        sum += projected_norms(view.values[k], view.output_weight.narrow(1, h * dim, dim));
      }
      rows.push_back(sum / static_cast<double>(group));
    }
    return at::stack(rows);
  }

  KeepSet select(const SelectionRequest& request) const override {
    const auto& scores = request.scores;
    const auto is_protected = at::isposinf(scores);  // [kv_heads, tokens]
    const auto first = select_top(scores, first_counts(request.kept, is_protected));
    auto weighed = (scores + params_.score_epsilon) * request.measure;  // [kv_heads, tokens]
    for (int64_t k = 0; k < first.kv_heads(); ++k) {
      weighed[k].index_fill_(0, first.of_head(k).to(scores.device()),
                             std::numeric_limits<float>::max());
    }
    weighed.masked_fill_(is_protected, std::numeric_limits<double>::infinity());
    return select_top(weighed, request.kept);
  }

 private:
  /// [kv_heads] i64 on the CPU
  at::Tensor first_counts(const at::Tensor& kept, const at::Tensor& is_protected) const {
    const auto share = (kept.to(at::kDouble) * params_.first_stage).floor().to(at::kLong);
    const int64_t mean = kept.sum().item<int64_t>() / kept.size(0);
    const auto sure = static_cast<int64_t>(static_cast<double>(mean) * params_.alpha);
    const auto least = is_protected.sum(1).to(at::kCPU).clamp_min(std::max<int64_t>(sure, 1));
    return at::minimum(at::maximum(share, least), kept);
  }

  Params params_;
};

}  // namespace

extern constexpr SelectorInfo selector_critical = describe_selector<Critical>(
    "critical", "half by score, half by score times what the value writes");

}  // namespace kvcal
