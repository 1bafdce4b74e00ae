// SPDX-License-Identifier: Apache-2.0
#include "longbench/params.hpp"

#include <fmt/format.h>

#include "dataset/benchmark_folder.hpp"

namespace kvcal {

LongbenchFiles::LongbenchFiles(const LongbenchParams& params, const std::string& dataset)
    : folder(benchmark_folder("longbench", params.root)),
      prompts(folder / "config" / "dataset2prompt.json"),
      lengths(folder / "config" / "dataset2maxlen.json"),
      limits(folder / "config" / "model2maxlen.json"),
      samples(folder / "data" /
              fmt::format("{}{}.jsonl", dataset, params.is_extended ? "_e" : "")) {}

}  // namespace kvcal
