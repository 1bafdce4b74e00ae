// SPDX-License-Identifier: Apache-2.0
// at::parallel_for behind one call, so that only one file is compiled with OpenMP.
#pragma once

#include <cstdint>
#include <functional>

namespace kvcal::cpu {

/// How many parts of at most b there are in a.
constexpr int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// Runs task(0) .. task(count - 1) on the intra-op threads, in any order.
void parallel_tasks(int64_t count, const std::function<void(int64_t)>& task);

}  // namespace kvcal::cpu
