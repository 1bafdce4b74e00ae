// SPDX-License-Identifier: Apache-2.0
/// OMP: the keys whose exponentials add up to the attention mass of all, chosen greedily.
///
/// Source   arXiv:2602.16284 (Attention Matching), OMP; the authors' `compaction/algorithms/omp.py`
///          (2e59cc8).
/// Rule     E[i, t] = exp(logit[i, t] - max_t logit[i, t]) over the tokens that are not protected,
///          rows i = reference queries of all heads of the KV head; y = row sums of E. Columns of E
///          are chosen by orthogonal matching pursuit of y (matching/pursuit.hpp), keys_per_step at
///          a time, their weights fitted anew every refit_interval steps; keys with a log-weight
///          below drop_log_weight are given up in favour of others at the end. Protected tokens
///          stay.
/// Differs  sums in f64 by default; the authors refit by QR in f32. After the last dropping the
///          count is filled up; the authors leave it short and pad. "progressive" takes more keys a
///          step the more are wanted, as theirs.
/// Cost     time O(rows * tokens * kept) a KV head, as matrix products; memory O(rows * tokens) in
///          the precision.
/// Checked  unit/pursuit_test.cpp, parity/compress (the authors' code).
#include <ATen/ATen.h>

#include <cmath>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/selector.hpp"
#include "matching/pursuit.hpp"
#include "matching/reference_attention.hpp"

namespace kvcal {
namespace {

struct Omp final : Selector {
  struct Params {
    ReferenceParams reference;
    int64_t keys_per_step = 1;
    int64_t refit_interval = 1;
    bool progressive = false;
    double drop_log_weight = -7;
    double max_log_weight = 7;
    std::string precision = "f64";
    template <class Visitor>
    void visit(Visitor& v) {
      reference.visit(v);
      v.field("keys_per_step", keys_per_step, at_least(1), "keys chosen by one look");
      v.field("refit_interval", refit_interval, at_least(1), "steps between two fits of weights");
      v.field("progressive", progressive, any(),
              "more keys a step and fewer fits from 300 and from 1500 keys on, instead of these");
      v.field("drop_log_weight", drop_log_weight, any(),
              "keys of less log-weight are given up; -100: none");
      v.field("max_log_weight", max_log_weight, any(), "largest log-weight");
      v.field("precision", precision, one_of({"f32", "f64"}), "of sums and solutions");
    }
  };

  explicit Omp(const Params& params) : params_(params) {}

  Needs needs() const override { return params_.reference.needs(); }

  KeepSet select(const SelectionRequest& request) const override {
    require(request.view != nullptr, Kind::internal, "omp selects without a view of the layer");
    require(!at::isnan(request.scores).any().item<bool>(), Kind::numeric, "a score is NaN");
    const LayerView& view = *request.view;
    const auto is_protected = at::isposinf(request.scores);  // [kv_heads, tokens]
    const ReferenceAttention attention(view, params_.reference.queries_of(view), is_protected);
    KeepSet keep;
    keep.offsets = at::cat({at::zeros({1}, at::kLong), request.kept.cumsum(0)});
    std::vector<at::Tensor> parts;
    for (int64_t k = 0; k < view.kv_heads(); ++k) {
      const auto head = attention.of_heads(at::tensor({k}, at::kLong));
      const auto count = request.kept[k].item<int64_t>();
      parts.push_back(select_head(head, is_protected[k], count));
    }
    keep.indices = at::cat(parts);
    return keep;
  }

 private:
  /// [count] i64 on the CPU, ascending.
  at::Tensor select_head(const ReferenceAttention& head, const at::Tensor& is_protected,
                         int64_t count) const {
    const auto fixed = is_protected.nonzero().squeeze(1);               // [protected]
    const auto open = is_protected.logical_not().nonzero().squeeze(1);  // [candidates]
    const int64_t wanted = count - fixed.size(0);
    require(wanted >= 0, Kind::config,
            "a KV head may keep {} entries but its scorer protects {}; need a budget >= {} tokens",
            count, fixed.size(0), fixed.size(0));
    if (wanted == open.size(0)) return at::arange(is_protected.size(0), at::kLong);
    if (wanted == 0) return fixed.to(at::kCPU);
    auto e = head.logits(0, head.rows(), open.unsqueeze(0)).squeeze(0);  // [rows, candidates]
    e = e.sub_(e.amax(1, true)).exp_().to(params_.precision == "f64" ? at::kDouble : at::kFloat);
    const auto pursuit = pursue(e, e.sum(1), wanted, options(wanted));
    const auto chosen = open.index_select(0, at::tensor(pursuit.columns, at::kLong).to(e.device()));
    return std::get<0>(at::cat({fixed, chosen}).sort()).to(at::kCPU);
  }

  PursuitOptions options(int64_t wanted) const {
    PursuitOptions options;
    options.keys_per_step = params_.keys_per_step;
    options.refit_interval = params_.refit_interval;
    options.bounds.high = std::exp(params_.max_log_weight);
    options.drop_below = std::exp(params_.drop_log_weight);
    if (params_.progressive) {  // the schedule of the authors' omp.py
      options.keys_per_step = wanted < 300 ? 1 : wanted < 1500 ? 2 : 4;
      options.refit_interval = wanted < 300 ? 1 : 2;
    }
    return options;
  }

  Params params_;
};

}  // namespace

extern constexpr SelectorInfo selector_omp =
    describe_selector<Omp>("omp", "keys that add up to the attention mass of all, greedily");

}  // namespace kvcal
