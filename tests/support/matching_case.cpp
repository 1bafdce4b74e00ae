// SPDX-License-Identifier: Apache-2.0
#include "support/matching_case.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

#include "kvcal/compress/scorer.hpp"

namespace kvcal::test {
namespace {

struct Output {
  at::Tensor rows;  // [queries, head_dim] f64
  at::Tensor mass;  // [queries] logarithm
};

Output attend(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
              const at::Tensor& bias) {
  const double scale = 1 / std::sqrt(static_cast<double>(keys.size(1)));
  auto logits = at::mm(queries.to(at::kDouble), keys.to(at::kDouble).t()) * scale;
  if (bias.defined()) logits = logits + bias.to(at::kDouble);
  return {at::mm(at::softmax(logits, 1), values.to(at::kDouble)), at::logsumexp(logits, 1)};
}

}  // namespace

LayerView head_view(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                    const at::Tensor& bias) {
  LayerView view;
  view.queries = queries.unsqueeze(0).slice(1, 0, 0);
  view.keys = keys.unsqueeze(0);
  view.values = values.unsqueeze(0);
  if (bias.defined()) view.bias = bias.unsqueeze(0);
  view.statistics.context_queries.add(queries.unsqueeze(0), 0, queries.size(0));
  return view;
}

namespace {

ParamMap params_of(const MatchingMethod& method) {
  ParamMap params{{"reference_queries", {std::string("context"), "test"}},
                  {"queries_per_head", {int64_t{1} << 40, "test"}},
                  {"sink_tokens", {int64_t{0}, "test"}}};
  for (const auto& [name, value] : method.params) params[name] = {value, "test"};
  return params;
}

}  // namespace

at::Tensor score(const MatchingMethod& method, const LayerView& view) {
  return find_scorer("reference_attention").make(params_of(method))->score(view);
}

Matched match(const MatchingMethod& method, const LayerView& view, int64_t kept) {
  const auto params = params_of(method);
  const auto scores = score(method, view);
  const auto counts = at::full({view.kv_heads()}, kept, at::kLong);
  Matched matched;
  matched.keep =
      find_selector(method.selector).make(params)->select({scores, at::Tensor(), counts, &view});
  matched.layer =
      find_compactor("attention_matching").make(params)->compact({view, scores, matched.keep});
  return matched;
}

at::Tensor matching_errors(const LayerView& view, const CompactLayer& layer,
                           const at::Tensor& queries) {
  const auto bias = view.bias.defined() ? view.bias[0] : at::Tensor();
  const auto full = attend(queries, view.keys[0], view.values[0], bias);
  const auto compact = attend(queries, layer.keys, layer.values, layer.bias);
  const auto difference = compact.rows - full.rows;
  const auto relative = difference.norm(2, 1) / (full.rows.norm(2, 1) + 1e-10);
  const auto cosine = at::cosine_similarity(compact.rows, full.rows, 1);
  const auto mass = ((compact.mass - full.mass).exp() - 1).abs();
  return at::stack({difference.square().mean(), relative.mean(), cosine.mean(), mass.mean(),
                    relative.max(), mass.max()});
}

}  // namespace kvcal::test
