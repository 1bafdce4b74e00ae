// SPDX-License-Identifier: Apache-2.0
// SmolLM2's tokenizer over all haystacks, text by text as prompts come; one thread. The peer, the
// `tokenizers` library over the same texts, is in compare/tokenizer.py.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "kvcal/profile/tokenizer.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

/// Every .txt under data/haystacks.
std::vector<std::string> read_texts() {
  std::vector<std::filesystem::path> files;
  const auto folder = test::source_dir() / "data/haystacks";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> texts;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return texts;
}

void encode(benchmark::State& state) {
  if (test::smollm2().empty()) {
    state.SkipWithError("SmolLM2 is not there: `./dev model` fetches it");
    return;
  }
  const auto tokenizer = Tokenizer::load(test::smollm2());
  const auto texts = read_texts();
  int64_t bytes = 0;
  for (const auto& text : texts) bytes += static_cast<int64_t>(text.size());
  for (auto _ : state) {
    for (const auto& text : texts) benchmark::DoNotOptimize(tokenizer.encode(text));
  }
  state.SetBytesProcessed(state.iterations() * bytes);
}
BENCHMARK(encode)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kvcal
