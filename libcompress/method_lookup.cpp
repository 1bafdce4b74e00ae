// SPDX-License-Identifier: Apache-2.0
// Finds scorers, allocators, selectors and compactors by name in the generated tables.
#include <fmt/ranges.h>

#include "kvcal/compress/allocator.hpp"
#include "kvcal/compress/compactor.hpp"
#include "kvcal/compress/scorer.hpp"
#include "kvcal/compress/selector.hpp"

namespace kvcal {
namespace {

template <class Info>
const Info& find_in(std::span<const Info* const> table, std::string_view what,
                    std::string_view name) {
  std::vector<std::string> known;
  for (const Info* info : table) {
    if (info->name == name) return *info;
    known.emplace_back(info->name);
  }
  fail(Kind::config, "no {} '{}'{} (known: {})", what, name, nearest_hint(name, known),
       fmt::join(known, ", "));
}

}  // namespace

const ScorerInfo& find_scorer(std::string_view name) {
  return find_in(scorer_table(), "scorer", name);
}

const AllocatorInfo& find_allocator(std::string_view name) {
  return find_in(allocator_table(), "allocator", name);
}

const SelectorInfo& find_selector(std::string_view name) {
  return find_in(selector_table(), "selector", name);
}

const CompactorInfo& find_compactor(std::string_view name) {
  return find_in(compactor_table(), "compactor", name);
}

}  // namespace kvcal
