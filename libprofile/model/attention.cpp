// SPDX-License-Identifier: Apache-2.0
#include "model/attention.hpp"

#include <ATen/ATen.h>

#include <tuple>

#include "kvcal/compress/kernels.hpp"

namespace kvcal {
namespace {

struct Attended {
  at::Tensor output;     // [kv_heads, group, new, head_dim]
  at::Tensor logsumexp;  // [kv_heads, group, new] f32
};

/// KV heads are broadcast over their group with stride 0, not copied.
Attended flash(const at::Tensor& grouped_queries, const at::Tensor& keys, const at::Tensor& values,
               bool is_causal, double scale) {
  const auto spread = [&](const at::Tensor& entries) {  // [kv_heads, group, tokens, head_dim]
    return entries.unsqueeze(1).expand({-1, grouped_queries.size(1), -1, -1});
  };
  auto [output, logsumexp] = at::_scaled_dot_product_flash_attention_for_cpu(
      grouped_queries, spread(keys), spread(values), /*dropout_p=*/0.0, is_causal, /*attn_mask=*/{},
      scale);
  return {output, logsumexp};
}

/// Softmax over the union of two sets of tokens, from the softmax over each.
at::Tensor merge(const Attended& past, const Attended& own) {
  const auto share = at::sigmoid(past.logsumexp - own.logsumexp).unsqueeze(-1);  // of the past
  const auto merged =
      at::lerp(own.output.to(at::kFloat), past.output.to(at::kFloat), share);  // like output
  return merged.to(own.output.scalar_type());
}

/// The new tokens are the last of the tail, the prefix is empty. No [new, tail] mask is built.
at::Tensor attend_tail(const at::Tensor& queries, const CacheLayer& cache, double scale) {
  const int64_t fresh = queries.size(1);
  const int64_t past = cache.tail_tokens() - fresh;
  const int64_t group = queries.size(0) / cache.kv_heads();
  const auto grouped = queries.unflatten(0, {cache.kv_heads(), group});
  const auto own = flash(grouped, cache.tail_keys.narrow(1, past, fresh),
                         cache.tail_values.narrow(1, past, fresh), /*is_causal=*/true, scale);
  if (past == 0) return own.output;
  const auto before =
      flash(grouped, cache.tail_keys.narrow(1, 0, past), cache.tail_values.narrow(1, 0, past),
            /*is_causal=*/false, scale);
  return merge(before, own);
}

}  // namespace

at::Tensor attend(const at::Tensor& queries, const CacheLayer& cache, double scale) {
  const int64_t fresh = queries.size(1);
  const bool is_prefill = cache.prefix.total_kept() == 0 && fresh > 1;
  if (is_prefill && queries.is_cpu()) {
    const auto output = attend_tail(queries, cache, scale);  // [kv_heads, group, new, head_dim]
    return output.permute({2, 0, 1, 3}).reshape({fresh, -1});
  }
  const auto output = ragged_attention(queries, cache, scale);  // [heads, new, head_dim]
  return output.permute({1, 0, 2}).reshape({fresh, -1});
}

}  // namespace kvcal
