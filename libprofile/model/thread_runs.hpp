// SPDX-License-Identifier: Apache-2.0
// Sequences that are fed at once, dealt to threads: each thread takes its own through all layers,
// so that none waits for the others between two operators.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kvcal {

/// Sequences first .. first + count - 1.
struct ThreadRun {
  size_t first;
  size_t count;
};

/// At most one run a thread, about as dear as each other, in order and none empty; a single one
/// where the rows are too few for more.
///
/// @param costs  of each sequence, > 0, in any unit
/// @param rows   new tokens of all sequences together
std::vector<ThreadRun> thread_runs(std::span<const int64_t> costs, int64_t rows, int64_t threads);

}  // namespace kvcal
