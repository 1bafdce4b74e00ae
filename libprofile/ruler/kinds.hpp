// SPDX-License-Identifier: Apache-2.0
// The kinds of RULER's published files: how a prompt is cut, how long a reply may be, what scores
// it.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace kvcal::ruler {

struct PublishedKind {
  std::string_view name;
  std::vector<std::string_view> question_starts;  ///< the last one in the prompt counts
  std::string_view answer_prefix_start;           ///< the last one in the question
  int64_t new_tokens;
  int64_t kvcache_factory_new_tokens;  ///< 0: the kind is not run there
  std::string_view metric;
};

std::span<const PublishedKind> published_kinds();

/// The kind that a file is named after, `niah_single_1_4096.jsonl`, or its folder,
/// `niah_single_1/validation.jsonl`; null if none.
const PublishedKind* kind_of_file(const std::filesystem::path& file);

}  // namespace kvcal::ruler
