// SPDX-License-Identifier: Apache-2.0
/// Attention matching: the chosen keys get a bias and new values, so that they give the reference
/// queries the attention mass and output of all.
///
/// Source   arXiv:2602.16284; the authors' `compaction/algorithms/base.py` (2e59cc8): _nnls_pg,
///          _compute_C2.
/// Rule     per KV head, over the tokens that are not protected, rows i = reference queries:
///          E[i, t] = exp(logit[i, t] - max_t logit[i, t]), y = row sums of E;
///          weights w: min ||E_chosen w - y||^2 with log w in min_log_weight .. max_log_weight, by
///          least squares and clamping plus gradient_steps (the authors), or truly (nnls);
///          bias = log w; X = softmax(logit_chosen + bias), Y = softmax(logit) V;
///          values: min ||X C - Y||^2 + ridge ||C - C0||^2, C0 = 0 or the values they had.
///          Bias of an earlier compaction is part of the logits, and what is fitted comes on top of
///          it. Protected tokens stay as they are.
/// Differs  the authors match logits with an earlier bias, but then put the fitted one in its place
///          instead of adding it (forgets_bias: true). Cholesky in f64 of the normal equations
///          instead of QR in f32 (uses_qr: QR); power iterations start from ones, which are near
///          the leading singular vector of a positive matrix, not from random numbers; ridge_to:
///          values is ours.
/// Cost     time O(rows * (tokens * head_dim + kept^2)) a KV head; memory O(rows * kept).
/// Checked  unit/attention_matching_test.cpp, parity/compress (the authors' code).
#include <ATen/ATen.h>

#include <cmath>
#include <map>

#include "kvcal/compress/compactor.hpp"
#include "kvcal/compress/error.hpp"
#include "matching/bounded_fit.hpp"
#include "matching/reference_attention.hpp"

namespace kvcal {
namespace {

struct AttentionMatching final : Compactor {
  struct Params {
    ReferenceParams reference;
    std::string weights = "clamped";
    int64_t gradient_steps = 2;
    double min_log_weight = -3;
    double max_log_weight = 3;
    std::string fitted_values = "lsq";
    double ridge = 0;
    std::string ridge_scale = "spectral";
    std::string ridge_to = "zero";
    bool forgets_bias = false;
    bool uses_qr = false;
    std::string precision = "f64";
    template <class Visitor>
    void visit(Visitor& v) {
      reference.visit(v);
      v.field("weights", weights, one_of({"clamped", "nnls", "none"}),
              "of keys: least squares clamped, the optimum within the bounds, or 1");
      v.field("gradient_steps", gradient_steps, at_least(0), "projected, after clamping");
      v.field("min_log_weight", min_log_weight, any(), "smallest bias");
      v.field("max_log_weight", max_log_weight, any(), "largest bias");
      v.field("fitted_values", fitted_values, one_of({"lsq", "direct"}),
              "least squares, or the values they had");
      v.field("ridge", ridge, at_least(0), "of the value fit");
      v.field("ridge_scale", ridge_scale, one_of({"absolute", "frobenius", "spectral"}),
              "what the ridge is a multiple of");
      v.field("ridge_to", ridge_to, one_of({"zero", "values"}), "where the ridge pulls values");
      v.field("forgets_bias", forgets_bias, any(),
              "the fitted bias replaces that of an earlier compaction, as the authors have it");
      v.field("uses_qr", uses_qr, any(), "QR instead of Cholesky");
      v.field("precision", precision, one_of({"f32", "f64"}), "of sums and solutions");
    }
  };

  explicit AttentionMatching(const Params& params) : params_(params) {
    require(params.min_log_weight <= params.max_log_weight, Kind::config,
            "min_log_weight = {}, max_log_weight = {}, need the first not above the second",
            params.min_log_weight, params.max_log_weight);
  }

  Needs needs() const override { return params_.reference.needs(); }
  bool has_bias() const override { return params_.weights != "none"; }

  bool is_costly() const override { return true; }

  CompactLayer compact(const CompactionRequest& request) const override {
    const auto& [view, scores, keep] = request;
    auto layer = gather(view.keys, view.values, keep);
    const auto device = view.keys.device();
    if (view.bias.defined()) {
      layer.bias = gather_bias(view.bias, keep);
    } else if (has_bias()) {
      layer.bias = at::zeros({keep.total()}, view.keys.options().dtype(at::kFloat));
    }
    const auto is_protected = at::isposinf(scores);  // [kv_heads, tokens]
    const ReferenceAttention attention(view, params_.reference.queries_of(view), is_protected);
    for (const auto& [count, heads] : open_rows(keep, is_protected)) {
      const auto some = attention.of_heads(at::tensor(heads.kv_heads, at::kLong));
      const auto tokens = at::stack(heads.tokens).to(device);  // [heads, count]
      const auto rows = at::cat(heads.rows).to(device);        // [heads * count]
      const auto fit = fit_entries(some, tokens);
      layer.values.index_copy_(0, rows, fit.values.flatten(0, 1).to(layer.values.scalar_type()));
      if (layer.bias.defined()) layer.bias.index_copy_(0, rows, fit.bias.flatten());
    }
    return layer;
  }

 private:
  /// KV heads with the same number of entries to fit, which are fitted as one batch.
  struct HeadsOfCount {
    std::vector<int64_t> kv_heads;
    std::vector<at::Tensor> tokens;  // each [count] i64
    std::vector<at::Tensor> rows;    // each [count] i64: where they are in the layer
  };
  struct Fit {
    at::Tensor bias;    // [kv_heads, count] f32
    at::Tensor values;  // [kv_heads, count, head_dim] f32
  };

  static std::map<int64_t, HeadsOfCount> open_rows(const KeepSet& keep,
                                                   const at::Tensor& is_protected) {
    std::map<int64_t, HeadsOfCount> groups;
    const auto on_cpu = is_protected.to(at::kCPU);
    const int64_t* offsets = keep.offsets.const_data_ptr<int64_t>();
    for (int64_t k = 0; k < keep.kv_heads(); ++k) {
      const auto tokens = keep.of_head(k);
      const auto open = on_cpu[k].index_select(0, tokens).logical_not().nonzero().squeeze(1);
      if (open.numel() == 0) continue;
      auto& group = groups[open.numel()];
      group.kv_heads.push_back(k);
      group.tokens.push_back(tokens.index_select(0, open));
      group.rows.push_back(open + offsets[k]);
    }
    return groups;
  }

  /// @param tokens  [kv_heads, count]
  Fit fit_entries(const ReferenceAttention& attention, const at::Tensor& tokens) const {
    const auto precision = params_.precision == "f64" ? at::kDouble : at::kFloat;
    const auto target = attend(attention);
    auto bias = attention.bias.gather(1, tokens);                 // of an earlier compaction
    auto logits = attention.logits(0, attention.rows(), tokens);  // [kv_heads, rows, count]
    auto fitted = at::zeros_like(bias);                           // [kv_heads, count]
    if (has_bias()) {
      const auto e = (logits - target.maximum.unsqueeze(2)).exp_().to(precision);
      fitted = fit_weights(e, target.mass.to(precision)).log().to(at::kFloat);
    }
    if (params_.forgets_bias) {
      logits.sub_(bias.unsqueeze(1));
      bias.zero_();
    }
    logits.add_(fitted.unsqueeze(1));
    bias.add_(fitted);
    const auto had =
        attention.values.gather(1, tokens.unsqueeze(2).expand({-1, -1, attention.values.size(2)}));
    Fit fit{bias, had};
    if (params_.fitted_values == "lsq") {
      const auto x = at::softmax(logits, 2).to(precision);  // [kv_heads, rows, count]
      fit.values = fit_values(x, target.output.to(precision), had.to(precision)).to(at::kFloat);
    }
    return fit;
  }

  /// [kv_heads, count]
  at::Tensor fit_weights(const at::Tensor& e, const at::Tensor& mass) const {
    const Bounds bounds{std::exp(params_.min_log_weight), std::exp(params_.max_log_weight)};
    if (params_.weights == "nnls") return bounded_fit(e, mass, bounds);
    const auto clamped = clamped_fit(e, mass, bounds, {.uses_qr = params_.uses_qr});
    const auto start = at::ones({e.size(0), e.size(2)}, e.options());
    return descend(e, mass, clamped, bounds, params_.gradient_steps, start);
  }

  at::Tensor fit_values(const at::Tensor& x, const at::Tensor& output,
                        const at::Tensor& had) const {
    const LeastSquares options{params_.uses_qr, params_.ridge,
                               parse_ridge_scale(params_.ridge_scale)};
    if (params_.ridge_to == "zero") return solve_least_squares(x, output, options);
    return had + solve_least_squares(x, output - at::matmul(x, had), options);
  }

  Params params_;
};

}  // namespace

extern constexpr CompactorInfo compactor_attention_matching = describe_compactor<AttentionMatching>(
    "attention_matching", "entries with a bias and values fitted to what all of them do");

}  // namespace kvcal
