// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/reference_queries.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

namespace kvcal {
namespace {

/// splitmix64: an order of positions as if by lot. Those of lowest number are drawn.
uint64_t lot(int64_t position) {
  uint64_t z = static_cast<uint64_t>(position) * 0x9E3779B97F4A7C15ULL + 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

ReferenceQueries ReferenceQueries::drawn(int64_t count) const {
  const auto gathered = static_cast<int64_t>(positions.size());
  if (gathered <= count) return *this;
  std::vector<int64_t> order(positions.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::nth_element(order.begin(), order.begin() + count, order.end(), [&](int64_t a, int64_t b) {
    return lot(positions[static_cast<size_t>(a)]) < lot(positions[static_cast<size_t>(b)]);
  });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  ReferenceQueries fewer;
  fewer.queries = queries.index_select(1, at::tensor(order, at::kLong).to(queries.device()));
  for (const int64_t i : order) fewer.positions.push_back(positions[static_cast<size_t>(i)]);
  return fewer;
}

void ReferenceQueries::add(const at::Tensor& fresh, int64_t first, int64_t count) {
  // A copy, or the view would hold the whole chunk's queries.
  queries = queries.defined() ? at::cat({queries, fresh}, 1) : fresh.clone();
  for (int64_t i = 0; i < fresh.size(1); ++i) positions.push_back(first + i);
  *this = drawn(count);
}

}  // namespace kvcal
