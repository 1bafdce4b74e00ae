// SPDX-License-Identifier: Apache-2.0
// at::parallel_for behind one call, so that only one file is compiled with OpenMP.
#pragma once

#include <cstdint>
#include <functional>

namespace kvcal::cpu {

/// Runs task(0) .. task(count - 1) on the intra-op threads, in any order.
void parallel_tasks(int64_t count, const std::function<void(int64_t)>& task);

}  // namespace kvcal::cpu
