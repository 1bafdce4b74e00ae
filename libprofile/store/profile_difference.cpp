// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/profile_difference.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "kvcal/profile/statistics.hpp"

namespace kvcal {
namespace {

using Differences = std::vector<ProfileDifference>;

constexpr int64_t kTopHeads = 10;
constexpr size_t kShownCharacters = 32;

std::string text_of(const std::string& value) {
  return value;
}
std::string text_of(int64_t value) {
  return std::to_string(value);
}

std::string shortened(const std::string& text, size_t begin) {
  const std::string line = text.substr(begin, text.find('\n', begin) - begin);
  const bool is_cut = line.size() > kShownCharacters;
  return (begin > 0 ? ".." : "") + line.substr(0, kShownCharacters) + (is_cut ? ".." : "");
}

/// Long texts are shown from a little before the place where they part.
std::pair<std::string, std::string> where_they_part(const std::string& a, const std::string& b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  size_t begin = static_cast<size_t>(in_a - a.begin());
  if (std::max(a.size(), b.size()) <= kShownCharacters) begin = 0;
  const size_t line = a.substr(0, begin).rfind('\n');
  begin = std::max(begin - std::min(begin, kShownCharacters / 2),
                   line == std::string::npos ? 0 : line + 1);
  return {shortened(a, begin), shortened(b, begin)};
}

/// Every field of two structs with a `fields` list.
template <class Record, class IsContent>
void compare_fields(const std::string& name, const Record& a, const Record& b,
                    IsContent&& is_content, Differences& found) {
  std::vector<std::string> values;
  auto collect = [&](const char*, const auto& value) { values.push_back(text_of(value)); };
  Record::fields(a, collect);
  size_t at = 0;
  auto compare = [&](const char* field, const auto& value) {
    const std::string& of_a = values[at++];
    const std::string of_b = text_of(value);
    if (of_a == of_b) return;
    const auto [first, second] = where_they_part(of_a, of_b);
    found.push_back({name + " " + field, first, second, "", is_content(field)});
  };
  Record::fields(b, compare);
}

std::string spearman_text(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return "other shapes";
  const double correlation = spearman(a, b);
  return std::isnan(correlation) ? "" : fmt::format("Spearman {:.3f}", correlation);
}

template <class T>
std::string largest_gap(const std::vector<T>& a, const std::vector<T>& b, const char* unit) {
  if (a.size() != b.size()) return "other shapes";
  T gap = 0;
  for (size_t i = 0; i < a.size(); ++i)
    gap = std::max(gap, a[i] < b[i] ? b[i] - a[i] : a[i] - b[i]);
  return fmt::format("up to {:.4g}{} apart", static_cast<double>(gap), unit);
}

std::string shown(const HeadScores& scores) {
  return fmt::format("{} prompts", scores.count);
}
std::string agreement(const HeadScores& a, const HeadScores& b) {
  const auto first = a.mean(), second = b.mean();
  const std::string ranks = spearman_text(first, second);
  if (first.size() != second.size()) return ranks;
  const int64_t top = std::min<int64_t>(kTopHeads, static_cast<int64_t>(first.size()));
  const double shared = top_overlap(first, second, top) * static_cast<double>(top);
  return fmt::format("{}{}top {} share {:.0f}", ranks, ranks.empty() ? "" : ", ", top, shared);
}

std::string shown(const LayerErrors& errors) {
  return fmt::format("{} steps", errors.count);
}
std::string agreement(const LayerErrors& a, const LayerErrors& b) {
  return spearman_text(a.sum, b.sum);
}

std::string shown(const std::vector<int64_t>& budget) {
  const auto [least, most] = std::minmax_element(budget.begin(), budget.end());
  return budget.empty() ? "" : fmt::format("{} .. {}", *least, *most);
}
std::string agreement(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  return largest_gap(a, b, " entries");
}

std::string shown(const StreamingHeads& streaming) {
  return fmt::format("{} + {} tokens", streaming.sink_tokens, streaming.recent_tokens);
}
std::string agreement(const StreamingHeads& a, const StreamingHeads& b) {
  return spearman_text(a.retrieval, b.retrieval);
}

std::string shown(const UnitCosts& costs) {
  return fmt::format("{} prompts", costs.count);
}
std::string agreement(const UnitCosts& a, const UnitCosts& b) {
  return spearman_text(a.sum, b.sum);
}

std::string shown(const PruneTable& table) {
  return fmt::format("{} steps", table.steps);
}
std::string agreement(const PruneTable& a, const PruneTable& b) {
  return largest_gap(a.shares, b.shares, "");
}

std::string shown(const std::vector<double>& shares) {
  return fmt::format("{} shares", shares.size());
}
std::string agreement(const std::vector<double>& a, const std::vector<double>& b) {
  return largest_gap(a, b, "");
}

std::string shown(const std::vector<Selection>& settings) {
  std::string text;
  for (const auto& setting : settings) {
    text += fmt::format("{}{:.0f} tokens: loss {:.3f} on {} prompts", text.empty() ? "" : ", ",
                        setting.budget_tokens, setting.loss, setting.held_out);
  }
  return text;
}
std::string agreement(const std::vector<Selection>& a, const std::vector<Selection>& b) {
  const bool is_same = std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](const Selection& left, const Selection& right) {
        return left.method == right.method && left.budget_tokens == right.budget_tokens;
      });
  return is_same ? "same parameters" : "other parameters";
}

/// @param a, b  null: not there
template <class Part>
void compare_part(const std::string& name, const Part* a, const Part* b, Differences& found) {
  if (a == nullptr && b == nullptr) return;
  if (a != nullptr && b != nullptr && *a == *b) return;
  found.push_back({name, a == nullptr ? "-" : shown(*a), b == nullptr ? "-" : shown(*b),
                   a == nullptr || b == nullptr ? "" : agreement(*a, *b), true});
}

template <class Part>
void compare_part(const std::string& name, const std::optional<Part>& a,
                  const std::optional<Part>& b, Differences& found) {
  compare_part(name, a ? &*a : nullptr, b ? &*b : nullptr, found);
}

/// Parts of the same name are compared; `compare(name, a or null, b or null)`.
template <class Map, class Compare>
void compare_maps(const Map& a, const Map& b, Compare&& compare) {
  const auto part = [](const Map& map, const auto& key) {
    const auto at = map.find(key);
    return at == map.end() ? nullptr : &at->second;
  };
  for (const auto& [key, value] : a) compare(key, &value, part(b, key));
  for (const auto& [key, value] : b) {
    if (!a.contains(key)) compare(key, part(a, key), &value);
  }
}

void compare_budgets(const Profile& a, const Profile& b, Differences& found) {
  using ByBudget = std::map<int64_t, std::vector<int64_t>>;
  static const ByBudget none;
  compare_maps(a.budgets, b.budgets,
               [&](const std::string& allocator, const ByBudget* first, const ByBudget* second) {
                 compare_maps(first ? *first : none, second ? *second : none,
                              [&](int64_t budget, const auto* of_a, const auto* of_b) {
                                compare_part(fmt::format("budgets {}@{}", allocator, budget), of_a,
                                             of_b, found);
                              });
               });
}

/// As a set: their order is that of merging.
void compare_prompts(const Profile& a, const Profile& b, Differences& found) {
  const auto digests = [](const Profile& profile) {
    std::set<std::pair<std::string, std::string>> set;
    for (const auto& prompt : profile.prompts) set.emplace(prompt.sha256, prompt.origin);
    return set;
  };
  const auto first = digests(a), second = digests(b);
  if (first == second) return;
  const auto shared = std::count_if(first.begin(), first.end(),
                                    [&](const auto& prompt) { return second.contains(prompt); });
  found.push_back({"prompts", std::to_string(first.size()), std::to_string(second.size()),
                   fmt::format("{} in both", shared), true});
}

void compare_making(const Profile& a, const Profile& b, Differences& found) {
  const auto never = [](std::string_view) { return false; };
  compare_fields("made by:", a.provenance, b.provenance, never, found);
  if (a.history == b.history) return;
  found.push_back({"history", fmt::format("{} stages", a.history.size()),
                   fmt::format("{} stages", b.history.size()), "", false});
}

}  // namespace

std::vector<ProfileDifference> differences(const Profile& a, const Profile& b) {
  Differences found;
  const auto compare = [&](const char* name) {
    return [&found, name](const std::string& key, const auto* first, const auto* second) {
      compare_part(fmt::format("{} {}", name, key), first, second, found);
    };
  };
  // The name is informative: require_same_model does not compare it either.
  compare_fields(
      "model", a.model, b.model, [](std::string_view field) { return field != "model_name"; },
      found);
  compare_maps(a.heads, b.heads, compare("heads"));
  compare_maps(a.layer_errors, b.layer_errors, compare("layer errors"));
  compare_budgets(a, b, found);
  compare_part("layer costs", a.layer_costs, b.layer_costs, found);
  compare_part("KV head costs", a.kv_head_costs, b.kv_head_costs, found);
  compare_part("KV head influence", a.kv_head_influence, b.kv_head_influence, found);
  compare_part("streaming pattern", a.streaming, b.streaming, found);
  compare_part("prune table", a.prune_table, b.prune_table, found);
  compare_part("KV head shares", a.kv_head_shares, b.kv_head_shares, found);
  compare_maps(a.selections, b.selections, compare("selection"));
  compare_prompts(a, b, found);
  compare_making(a, b, found);
  std::stable_partition(found.begin(), found.end(),
                        [](const ProfileDifference& difference) { return difference.is_content; });
  return found;
}

}  // namespace kvcal
