// SPDX-License-Identifier: Apache-2.0
#include "matching/reference_attention.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

bool has(const std::string& sources, std::string_view source) {
  return sources.find(source) != std::string::npos;
}

}  // namespace

Needs ReferenceParams::needs() const {
  Needs needs;
  if (has(reference_queries, "context")) needs.context_queries = queries_per_head;
  if (has(reference_queries, "repeat")) needs.repeat_queries = queries_per_head;
  if (has(reference_queries, "study")) needs.study_queries = queries_per_head;
  return needs;
}

at::Tensor ReferenceParams::queries_of(const LayerView& view) const {
  std::vector<at::Tensor> parts;  // [heads, drawn, head_dim]
  const auto add = [&](std::string_view source, const ReferenceQueries& gathered) {
    if (!has(reference_queries, source)) return;
    require(gathered.queries.defined() && gathered.queries.size(1) > 0, Kind::shape,
            "layer {} has no reference queries of the source {}", view.layer, source);
    parts.push_back(gathered.drawn(queries_per_head).queries.to(at::kFloat));
  };
  const auto& statistics = view.statistics;
  add("context", statistics.context_queries);
  add("repeat", statistics.repeat_queries);
  add("study", statistics.study_queries);
  const auto all = at::cat(parts, 1);
  require(all.size(0) % view.kv_heads() == 0 && all.size(2) == view.head_dim(), Kind::shape,
          "reference queries of {} heads x {} for {} KV heads x {}", all.size(0), all.size(2),
          view.kv_heads(), view.head_dim());
  const double scale = 1.0 / std::sqrt(static_cast<double>(view.head_dim()));
  return all.mul(scale).reshape({view.kv_heads(), -1, view.head_dim()});
}

ReferenceAttention::ReferenceAttention(const LayerView& view, const at::Tensor& queries_,
                                       const at::Tensor& left_out)
    : queries(queries_), keys(view.keys.to(at::kFloat)), values(view.values.to(at::kFloat)) {
  bias = view.bias.defined() ? view.bias.clone()
                             : at::zeros({view.kv_heads(), view.tokens()}, keys.options());
  bias.masked_fill_(left_out, -std::numeric_limits<double>::infinity());
}

ReferenceAttention ReferenceAttention::of_heads(const at::Tensor& kv_heads) const {
  ReferenceAttention some = *this;
  const auto index = kv_heads.to(keys.device());
  for (auto* tensor : {&some.queries, &some.keys, &some.values, &some.bias}) {
    *tensor = tensor->index_select(0, index);
  }
  return some;
}

at::Tensor ReferenceAttention::logits(int64_t first, int64_t count,
                                      const at::Tensor& indices) const {
  auto chosen = keys, added = bias;
  if (indices.defined()) {
    chosen = keys.gather(1, indices.unsqueeze(2).expand({-1, -1, keys.size(2)}));
    added = bias.gather(1, indices);
  }
  return at::baddbmm(added.unsqueeze(1), queries.narrow(1, first, count), chosen.transpose(1, 2));
}

ReferenceTarget attend(const ReferenceAttention& attention) {
  const int64_t kv_heads = attention.keys.size(0), rows = attention.rows();
  const auto& options = attention.keys.options();
  ReferenceTarget target{at::empty({kv_heads, rows}, options), at::empty({kv_heads, rows}, options),
                         at::empty({kv_heads, rows, attention.keys.size(2)}, options)};
  for_row_blocks(attention, [&](int64_t first, at::Tensor logits) {
    const int64_t count = logits.size(1);
    const auto maximum = std::get<0>(logits.max(2, true));  // [kv_heads, count, 1]
    const auto exponentials = logits.sub_(maximum).exp_();
    const auto mass = exponentials.sum(2, true);
    target.maximum.narrow(1, first, count).copy_(maximum.squeeze(2));
    target.mass.narrow(1, first, count).copy_(mass.squeeze(2));
    target.output.narrow(1, first, count)
        .copy_(at::matmul(exponentials, attention.values).div_(mass));
  });
  return target;
}

}  // namespace kvcal
