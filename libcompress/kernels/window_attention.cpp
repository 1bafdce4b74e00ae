// SPDX-License-Identifier: Apache-2.0
// Attention rows as tensors, for scorers and head identification. Made of ATen operators, so the
// same code runs on every device.
#include <ATen/ATen.h>

#include <limits>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
#include "kvcal/compress/parallel.hpp"

namespace kvcal {
namespace {

/// [kept, head_dim] of one KV head, out of prefix rows and tail, f32.
at::Tensor entries_of(const at::Tensor& prefix, const at::Tensor& tail, int64_t kv_head,
                      int64_t kept) {
  return at::cat({prefix.narrow(0, kv_head * kept, kept), tail[kv_head]}).to(at::kFloat);
}

void check_equal_counts(const CompactLayer& prefix, int64_t kv_heads, int64_t kept) {
  const int64_t* offsets = prefix.offsets.const_data_ptr<int64_t>();
  for (int64_t k = 0; k <= kv_heads; ++k) {
    require(offsets[k] == k * kept, Kind::shape,
            "attention_rows needs the same number of entries in every KV head, head {} starts at "
            "{}, not {}",
            k, offsets[k], k * kept);
  }
}

}  // namespace

at::Tensor window_attention(const at::Tensor& queries, const at::Tensor& keys, double scale) {
  require(queries.dim() == 3 && keys.dim() == 3 && queries.size(0) % keys.size(0) == 0 &&
              queries.size(2) == keys.size(2) && queries.size(1) <= keys.size(1),
          Kind::shape, "window queries and keys have {} and {} dimensions or do not fit",
          queries.dim(), keys.dim());
  const int64_t heads = queries.size(0), window = queries.size(1), head_dim = queries.size(2);
  const int64_t kv_heads = keys.size(0), tokens = keys.size(1), group = heads / kv_heads;
  auto rows = at::empty({heads, window, tokens}, queries.options().dtype(at::kFloat));
  const auto hidden =
      at::ones({window, window}, queries.options().dtype(at::kBool)).triu(1);  // [window, window]
  for (int64_t k = 0; k < kv_heads; ++k) {
    const auto q = queries.narrow(0, k * group, group).to(at::kFloat).reshape({-1, head_dim});
    auto logits = at::mm(q, keys[k].to(at::kFloat).t()).mul_(scale);  // [group * window, tokens]
    logits = logits.view({group, window, tokens});
    logits.narrow(2, tokens - window, window)
        .masked_fill_(hidden, -std::numeric_limits<double>::infinity());
    rows.narrow(0, k * group, group).copy_(at::softmax(logits, -1));
  }
  return rows;
}

std::vector<at::Tensor> attention_rows(const at::Tensor& queries, std::span<const int64_t> wanted,
                                       const CacheLayer& cache, double scale) {
  const int64_t kv_heads = cache.kv_heads(), heads = queries.size(0), group = heads / kv_heads;
  const int64_t kept = cache.prefix.total_kept() / kv_heads;
  const int64_t before_new = kept + cache.tail_tokens() - queries.size(1);
  check_equal_counts(cache.prefix, kv_heads, kept);
  const auto prefix = cache.prefix.with_own_entries();
  std::vector<at::Tensor> rows;
  for (const int64_t token : wanted) {
    rows.push_back(at::empty({heads, before_new + token + 1}, queries.options().dtype(at::kFloat)));
  }
  const auto attend = [&](int64_t k) {
    const auto keys = entries_of(prefix.keys, cache.tail_keys, k, kept);  // [kept + tail, head_dim]
    const auto of_group = queries.narrow(0, k * group, group).to(at::kFloat);
    for (size_t i = 0; i < rows.size(); ++i) {
      auto row = rows[i].narrow(0, k * group, group);  // [group, seen]
      at::mm_out(row, of_group.select(1, wanted[i]), keys.narrow(0, 0, row.size(1)).t());
      row.mul_(scale);
      if (prefix.bias.defined()) {
        row.narrow(1, 0, kept).add_(prefix.bias.narrow(0, k * kept, kept));
      }
      at::softmax_out(row, row, -1);
    }
  };
  if (queries.is_cpu()) {
    parallel_tasks(kv_heads, attend);
  } else {
    for (int64_t k = 0; k < kv_heads; ++k) attend(k);
  }
  return rows;
}

}  // namespace kvcal
