// SPDX-License-Identifier: Apache-2.0
// at::parallel_for behind one call, so that only one file is compiled with OpenMP.
#pragma once

#include <cstdint>
#include <functional>

namespace kvcal {

/// How many parts of at most b there are in a.
constexpr int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// Runs task(0) .. task(count - 1) on the intra-op threads, each of them its run of tasks. Within a
/// task all work goes on by one thread, LibTorch's too.
void parallel_tasks(int64_t count, const std::function<void(int64_t)>& task);

/// Threads that parallel_tasks has here: 1 within a task.
int64_t parallel_threads();

}  // namespace kvcal
