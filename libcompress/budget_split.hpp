// SPDX-License-Identifier: Apache-2.0
// What allocators share: checking a request, rounding wanted shares to integers with an exact sum,
// and counting who holds the best scores. Not an allocator.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kvcal/compress/allocator.hpp"

namespace kvcal {

/// @param reason  what asks for `least` ("window_tokens + 1")
/// @throws Error{config} budget_tokens outside least .. tokens
void require_budget(const AllocationRequest& request, int64_t least, std::string_view reason);

/// [layers, kv_heads] i64: count_protected, or zeros for a request without scores.
/// @throws Error{config} the scores protect more entries than the total
at::Tensor protected_entries(const AllocationRequest& request);

/// [layers]: the most that the scores protect in a KV head of each layer.
std::vector<int64_t> protected_by_layer(const AllocationRequest& request);

/// Entries that every layer keeps whatever its share: a rule's window, or where the scores protect
/// fewer entries in every KV head, as many as they do.
/// @param by_layer  protected_by_layer; a request without scores has the rule's window
int64_t entries_of_window(const AllocationRequest& request, const std::vector<int64_t>& by_layer,
                          int64_t window_tokens);

/// [layers, kv_heads] i64: the same for all KV heads of a layer.
at::Tensor for_all_kv_heads(const std::vector<int64_t>& by_layer, int64_t kv_heads);

/// Numbers of a small i64 or f64 tensor on the CPU, row after row.
std::vector<int64_t> integers_of(const at::Tensor& tensor);
std::vector<double> reals_of(const at::Tensor& tensor);

/// The integers nearest to `wanted` (least squares) in low[i] .. high whose sum is exactly `total`:
/// each is rounded down, then one after the other is given to whoever lacks most, or taken from
/// whoever has most too much. This is the method of largest remainders where no limit is reached.
/// Equals (within 2^-20, so that rounding noise decides nothing): the first.
///
/// @throws Error{config} no integers within the limits have that sum
std::vector<int64_t> round_to_total(std::span<const double> wanted, std::span<const int64_t> low,
                                    int64_t high, int64_t total);

/// How many of the `total` highest scores each row holds, its own best least[row] counted as higher
/// than all others. Equal scores at the cut go to the first row.
///
/// @param scores  [rows, tokens] f32
/// @param least   [rows] i64 on the CPU, at least the +inf scores of the row; sum <= total
/// @return  [rows] i64 on the CPU, sum exactly total
at::Tensor count_best(const at::Tensor& scores, const at::Tensor& least, int64_t total);

}  // namespace kvcal
