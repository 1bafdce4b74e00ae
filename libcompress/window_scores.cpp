// SPDX-License-Identifier: Apache-2.0
#include "window_scores.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/backend.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"

namespace kvcal {

namespace {

/// Queries of heads first .. first + count - 1, all of one KV head, in the last rows of its keys.
struct Window {
  at::Tensor queries;  // [count, window, head_dim]
  at::Tensor keys;     // [1, tokens, head_dim]
  double scale;
};

Window window_of(const LayerView& view, int64_t window_tokens, int64_t first, int64_t count) {
  require(view.queries.dim() == 3 && view.keys.dim() == 3 && view.heads() % view.kv_heads() == 0,
          Kind::shape, "{} heads do not divide into {} KV heads", view.heads(), view.kv_heads());
  const int64_t gathered = view.queries.size(1);
  require(gathered >= window_tokens && view.tokens() >= window_tokens, Kind::shape,
          "window_tokens = {}, but layer {} has {} queries and {} tokens", window_tokens,
          view.layer, gathered, view.tokens());
  const int64_t kv_head = first / (view.heads() / view.kv_heads());
  return {view.queries.narrow(0, first, count).narrow(1, gathered - window_tokens, window_tokens),
          view.keys.narrow(0, kv_head, 1), 1.0 / std::sqrt(static_cast<double>(view.head_dim()))};
}

Pool pool_named(std::string_view name) {
  if (name == "grow") return Pool::grow;
  return name == "max" ? Pool::max : Pool::avg;
}

}  // namespace

at::Tensor window_rows(const LayerView& view, int64_t window_tokens, int64_t first, int64_t count) {
  const auto window = window_of(view, window_tokens, first, count);
  return window_attention(window.queries, window.keys, window.scale);
}

at::Tensor window_mass(const LayerView& view, int64_t window_tokens, int64_t first, int64_t count) {
  const auto rows = window_rows(view, window_tokens, first, count);
  return rows.narrow(2, 0, view.tokens() - window_tokens).sum(1);  // [count, past]
}

at::Tensor window_mass(const LayerView& view, int64_t window_tokens) {
  const int64_t group = view.heads() / view.kv_heads();
  std::vector<at::Tensor> rows;  // one KV head at a time: [group, window, tokens] is what is held
  for (int64_t k = 0; k < view.kv_heads(); ++k) {
    rows.push_back(window_mass(view, window_tokens, k * group, group));
  }
  return at::cat(rows);
}

namespace {

/// [1, heads, past]: a token gets what its best neighbour has, less with the distance.
at::Tensor grow(const at::Tensor& rows, int64_t kernel) {
  const int64_t half = kernel / 2;
  const auto distance = at::arange(-half, half + 1, rows.options()).abs();
  const auto share = 1 - distance / static_cast<double>(half + 1);  // [kernel]
  const auto padded = at::constant_pad_nd(rows, {half, half});
  return (padded.unfold(2, kernel, 1) * share).amax(3);
}

}  // namespace

at::Tensor pool_tokens(const at::Tensor& mass, std::string_view pool, int64_t kernel) {
  if (mass.size(1) == 0 || kernel == 1) return mass;
  const auto rows = mass.unsqueeze(0);  // [1, heads, past]
  if (pool == "grow") return grow(rows, kernel).squeeze(0);
  const auto pooled = pool == "max" ? at::max_pool1d(rows, kernel, 1, kernel / 2)
                                    : at::avg_pool1d(rows, kernel, 1, kernel / 2);
  return pooled.squeeze(0);
}

at::Tensor pooled_window_mass(const LayerView& view, int64_t window_tokens, int64_t first,
                              int64_t count, std::string_view pool, int64_t kernel) {
  if (!view.keys.is_cuda()) {
    return pool_tokens(window_mass(view, window_tokens, first, count), pool, kernel);
  }
  const auto window = window_of(view, window_tokens, first, count);
  return cuda::pooled_window_mass(window.queries, window.keys, window.scale, pool_named(pool),
                                  kernel);
}

at::Tensor pooled_window_mass(const LayerView& view, int64_t window_tokens, std::string_view pool,
                              int64_t kernel) {
  const int64_t group = view.heads() / view.kv_heads();
  std::vector<at::Tensor> rows;
  for (int64_t k = 0; k < view.kv_heads(); ++k) {
    rows.push_back(pooled_window_mass(view, window_tokens, k * group, group, pool, kernel));
  }
  return at::cat(rows);
}

at::Tensor with_protected_window(const at::Tensor& past, int64_t window_tokens) {
  const auto window =
      at::full({past.size(0), window_tokens}, std::numeric_limits<double>::infinity(),
               past.options());  // [kv_heads, window]
  return at::cat({past, window}, 1);
}

void require_odd_kernel(int64_t pool_kernel) {
  require(pool_kernel % 2 == 1, Kind::config, "pool_kernel = {}, need an odd number of tokens",
          pool_kernel);
}

}  // namespace kvcal
