// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/parallel.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

namespace kvcal {
namespace {

/// Keys of 16k tokens, 4 KV heads and a head_dim of 64.
constexpr int64_t kSmallNumbers = 1 << 22;

}  // namespace

void parallel_tasks(int64_t count, const std::function<void(int64_t)>& task) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) task(i);
  });
}

void share_out(int64_t count, const std::function<void(int64_t)>& task) {
  if (count == 1) return task(0);  // all threads are left to it
  std::vector<std::exception_ptr> errors(static_cast<size_t>(count));
  std::atomic<int64_t> next = 0;
  parallel_tasks(std::min(count, parallel_threads()), [&](int64_t) {
    for (int64_t i = next++; i < count; i = next++) {
      try {
        task(i);
      } catch (...) {
        errors[static_cast<size_t>(i)] = std::current_exception();
      }
    }
  });
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

void share_out(const at::Tensor& of_a_task, int64_t count,
               const std::function<void(int64_t)>& task) {
  if (of_a_task.is_cpu() && of_a_task.numel() <= kSmallNumbers) return share_out(count, task);
  for (int64_t i = 0; i < count; ++i) task(i);
}

int64_t parallel_threads() {
  return at::in_parallel_region() ? 1 : at::get_num_threads();
}

}  // namespace kvcal
