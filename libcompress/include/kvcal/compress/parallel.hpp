// SPDX-License-Identifier: Apache-2.0
// Work on LibTorch's own threads: at::parallel_for behind calls, so that few files are compiled
// with OpenMP.
#pragma once

#include <ATen/core/Tensor.h>

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

/// The same of tasks that differ in size: who is done takes the next one. Of several errors the
/// first task's is thrown, as if they ran in order.
void share_out(int64_t count, const std::function<void(int64_t)>& task);

/// The same of tasks that each work on a tensor like this one. Large ones keep all threads busy one
/// after the other, and what is made of them would fill the memory; operators of another device
/// than the CPU wait for nothing: those go on by one thread.
void share_out(const at::Tensor& of_a_task, int64_t count,
               const std::function<void(int64_t)>& task);

/// Threads that both have here: 1 within a task.
int64_t parallel_threads();

}  // namespace kvcal
