// SPDX-License-Identifier: Apache-2.0
// Where a benchmark lies whose data the user brings, in the layout in which it is published.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

#include "kvcal/profile/task.hpp"

namespace kvcal {

/// The folder of a benchmark, whether it is there or not: `given` (a path, or one below our own
/// data) if it is not empty, else $KVCAL_BENCHMARKS/<name>, else data/<name>.
/// @param name  e.g. "longbench"
std::filesystem::path benchmark_folder(std::string_view name, const std::string& given);

/// What a task tells of its data: the folder when all `needed` files (relative) are in it.
DataPlace locate_benchmark(const std::filesystem::path& folder,
                           std::initializer_list<std::filesystem::path> needed);

/// @throws Error{input} a file is missing; says how a folder is named and where the data comes from
void require_benchmark(const DataPlace& place, std::string_view name);

}  // namespace kvcal
