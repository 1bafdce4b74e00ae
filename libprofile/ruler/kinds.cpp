// SPDX-License-Identifier: Apache-2.0
#include "ruler/kinds.hpp"

#include <string>

namespace kvcal::ruler {
namespace {

constexpr std::string_view kAll = "ruler_string_match_all", kPart = "ruler_string_match_part";

PublishedKind needles(std::string_view name) {
  return {name,
          {"What is the special magic", "What are all the special magic"},
          "The special magic",
          128,
          64,
          kAll};
}

PublishedKind documents(std::string_view name) {
  return {name, {"Answer the question based on"}, "Answer:", 32, 0, kPart};
}

}  // namespace

/// Cuts are those of kvpress.
std::span<const PublishedKind> published_kinds() {
  static const PublishedKind kinds[] = {
      needles("niah_single_1"),
      needles("niah_single_2"),
      needles("niah_single_3"),
      needles("niah_multikey_1"),
      needles("niah_multikey_2"),
      needles("niah_multikey_3"),
      needles("niah_multivalue"),
      needles("niah_multiquery"),
      {"vt", {"Question: Find all variables"}, "Answer:", 30, 64, kAll},
      {"cwe", {"Question: What are the 10 most common"}, "Answer:", 120, 64, kAll},
      {"fwe", {"Question: Do not provide"}, "Answer:", 50, 64, kAll},
      documents("qa_1"),
      documents("qa_2"),
  };
  return kinds;
}

const PublishedKind* kind_of_file(const std::filesystem::path& file) {
  for (const std::string& name : {file.stem().string(), file.parent_path().filename().string()}) {
    for (const PublishedKind& kind : published_kinds()) {
      const bool is_whole = name == kind.name;
      if (is_whole || name.starts_with(std::string(kind.name) + "_")) return &kind;
    }
  }
  return nullptr;
}

}  // namespace kvcal::ruler
