// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/parallel.hpp"

#include <ATen/Parallel.h>

namespace kvcal {

void parallel_tasks(int64_t count, const std::function<void(int64_t)>& task) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) task(i);
  });
}

int64_t parallel_threads() {
  return at::in_parallel_region() ? 1 : at::get_num_threads();
}

}  // namespace kvcal
