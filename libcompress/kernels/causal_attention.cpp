// SPDX-License-Identifier: Apache-2.0
// Prefill attention: our kernel where it is there, else LibTorch's flash attention.
#include <ATen/ATen.h>

#include <tuple>

#include "kernels/backend.hpp"
#include "kernels/block_attention.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"

namespace kvcal {
namespace {

void check_entries(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
  require(queries.dim() == 3 && keys.dim() == 3 && queries.size(0) % keys.size(0) == 0 &&
              queries.size(2) == keys.size(2) && queries.size(1) <= keys.size(1) &&
              keys.sizes() == values.sizes(),
          Kind::shape,
          "queries {}, keys {} and values {} do not fit, need [heads, new, head_dim] and "
          "[kv_heads, seen, head_dim] with new <= seen",
          fmt::join(queries.sizes(), " x "), fmt::join(keys.sizes(), " x "),
          fmt::join(values.sizes(), " x "));
  require(keys.scalar_type() == queries.scalar_type() &&
              values.scalar_type() == queries.scalar_type() && keys.stride(2) == 1 &&
              values.stride(2) == 1 && queries.stride(2) == 1,
          Kind::shape, "keys are {}, queries {}, need one type and contiguous rows",
          c10::toString(keys.scalar_type()), c10::toString(queries.scalar_type()));
}

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

/// No [new, seen] mask is built.
at::Tensor attend_by_flash(const at::Tensor& queries, const at::Tensor& keys,
                           const at::Tensor& values, double scale) {
  const int64_t fresh = queries.size(1), past = keys.size(1) - fresh;
  const auto grouped = queries.unflatten(0, {keys.size(0), queries.size(0) / keys.size(0)});
  const auto part = [&](int64_t first, int64_t count, bool is_causal) {
    return flash(grouped, keys.narrow(1, first, count), values.narrow(1, first, count), is_causal,
                 scale);
  };
  const auto own = part(past, fresh, /*is_causal=*/true);
  const auto output = past == 0 ? own.output : merge(part(0, past, /*is_causal=*/false), own);
  return output.permute({2, 0, 1, 3}).reshape({fresh, -1});  // of [kv_heads, group, new, head_dim]
}

}  // namespace

at::Tensor causal_attention(const at::Tensor& queries, const at::Tensor& keys,
                            const at::Tensor& values, double scale) {
  check_entries(queries, keys, values);
  if (!queries.is_cpu()) return attend_by_blocks(queries, keys, values, scale);
  if (cpu::has_causal_attention(queries)) {
    return cpu::causal_attention(queries, keys, values, scale);
  }
  return attend_by_flash(queries, keys, values, scale);
}

}  // namespace kvcal
