// SPDX-License-Identifier: Apache-2.0
// One KV head for the parts of Attention Matching: a view with reference queries, the parts of a
// method put together by hand, and how well a compacted layer does what the whole one does.
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "kvcal/compress/compactor.hpp"
#include "kvcal/compress/selector.hpp"

namespace kvcal::test {

/// A layer of one KV head and one query head, whose context queries are `queries`.
/// @param queries       [rows, head_dim]
/// @param keys, values  [tokens, head_dim]
/// @param bias          [tokens] or undefined
LayerView head_view(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                    const at::Tensor& bias = {});

/// A method of parts. All of them look through the context queries, all of these, and protect
/// nothing unless `params` says otherwise.
struct MatchingMethod {
  std::string_view selector = "top";
  std::map<std::string, ParamValue> params = {};
};

/// [kv_heads, tokens]
at::Tensor score(const MatchingMethod& method, const LayerView& view);

struct Matched {
  KeepSet keep;
  CompactLayer layer;
};
/// @param kept  entries of each KV head
Matched match(const MatchingMethod& method, const LayerView& view, int64_t kept);

/// Over some queries: mean of the squared output error, of its L2 norm relative to the output's, of
/// the cosine, of the relative error of the mass; largest relative L2 and largest mass error.
/// @return  [6] f64
at::Tensor matching_errors(const LayerView& view, const CompactLayer& layer,
                           const at::Tensor& queries);

}  // namespace kvcal::test
