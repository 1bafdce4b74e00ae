// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include "kernels/backend.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"

namespace kvcal {
namespace {

void check_queries(const at::Tensor& queries, const CacheLayer& cache) {
  require(queries.dim() == 3 && cache.tail_keys.dim() == 3, Kind::shape,
          "queries and tail have {} and {} dimensions, need [heads, new, head_dim] and "
          "[kv_heads, tail, head_dim]",
          queries.dim(), cache.tail_keys.dim());
  require(queries.size(0) % cache.kv_heads() == 0 && queries.size(2) == cache.tail_keys.size(2),
          Kind::shape, "queries of {} heads x {} do not fit a cache of {} KV heads x {}",
          queries.size(0), queries.size(2), cache.kv_heads(), cache.tail_keys.size(2));
  require(queries.size(1) >= 1 && queries.size(1) <= cache.tail_tokens(), Kind::shape,
          "{} new tokens, need 1 .. {} (the tail holds them already)", queries.size(1),
          cache.tail_tokens());
  const auto dtype = queries.scalar_type();
  require(dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf, Kind::shape,
          "queries are {}, need f32, bf16 or f16", c10::toString(dtype));
}

void check_cache(const at::Tensor& queries, const CacheLayer& cache) {
  const auto& prefix = cache.prefix;
  for (const auto& tensor : {prefix.keys, prefix.values, cache.tail_keys, cache.tail_values}) {
    require(tensor.scalar_type() == queries.scalar_type() && tensor.device() == queries.device(),
            Kind::shape, "cache is {} on {}, queries are {} on {}; need the same",
            c10::toString(tensor.scalar_type()), tensor.device().str(),
            c10::toString(queries.scalar_type()), queries.device().str());
    require(tensor.size(-1) == queries.size(2) && tensor.stride(-1) == 1, Kind::shape,
            "cache entries have {} numbers with stride {}, need {} with stride 1", tensor.size(-1),
            tensor.stride(-1), queries.size(2));
  }
  require(cache.tail_values.sizes() == cache.tail_keys.sizes() &&
              prefix.values.sizes() == prefix.keys.sizes(),
          Kind::shape, "keys and values of the cache differ in shape");
  require(prefix.offsets.numel() == cache.kv_heads() + 1 && prefix.offsets.is_cpu() &&
              prefix.offsets.is_contiguous() &&
              prefix.offsets.const_data_ptr<int64_t>()[cache.kv_heads()] == prefix.total_kept(),
          Kind::shape, "offsets do not describe {} entries of {} KV heads", prefix.total_kept(),
          cache.kv_heads());
  require(!prefix.rows.defined() ||
              (prefix.rows.scalar_type() == at::kInt &&
               prefix.rows.device() == prefix.keys.device() && prefix.rows.is_contiguous() &&
               prefix.keys.is_contiguous() && prefix.values.is_contiguous()),
          Kind::shape, "rows of the entries are {}, need i32 beside contiguous keys and values",
          prefix.rows.defined() ? c10::toString(prefix.rows.scalar_type()) : "absent");
  require(!prefix.bias.defined() || (prefix.bias.scalar_type() == at::kFloat &&
                                     prefix.bias.numel() == prefix.total_kept()),
          Kind::shape, "bias has {} numbers, need {} of f32",
          prefix.bias.defined() ? prefix.bias.numel() : 0, prefix.total_kept());
}

}  // namespace

at::Tensor ragged_attention(const at::Tensor& queries, const CacheLayer& cache, double scale) {
  check_queries(queries, cache);
  check_cache(queries, cache);
  if (queries.is_cuda()) return cuda::ragged_attention(queries, cache, scale);
  require(queries.is_cpu(), Kind::config, "no attention kernel for device {}, need cpu or cuda",
          queries.device().str());
  return cpu::ragged_attention({&queries, 1}, {&cache, 1}, scale).front();
}

std::vector<at::Tensor> ragged_attention_batch(std::span<const at::Tensor> queries,
                                               std::span<const CacheLayer> caches, double scale) {
  require(queries.size() == caches.size(), Kind::shape, "queries of {} sequences for {} caches",
          queries.size(), caches.size());
  for (size_t i = 0; i < caches.size(); ++i) {
    check_queries(queries[i], caches[i]);
    check_cache(queries[i], caches[i]);
  }
  if (!queries.empty() && queries.front().is_cpu()) {
    return cpu::ragged_attention(queries, caches, scale);
  }
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < caches.size(); ++i) {
    outputs.push_back(ragged_attention(queries[i], caches[i], scale));
  }
  return outputs;
}

}  // namespace kvcal
