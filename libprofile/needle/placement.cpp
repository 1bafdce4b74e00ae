// SPDX-License-Identifier: Apache-2.0
#include "needle/placement.hpp"

#include <algorithm>
#include <unordered_map>

namespace kvcal {
namespace {

bool is_white(char c) {
  return kWhitespace.find(c) != std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_white(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_white(text.back())) text.remove_suffix(1);
  return text;
}

/// Counts how many distinct ids of a set lie in a moving window.
class WindowCover {
 public:
  explicit WindowCover(std::span<const int64_t> ids) {
    for (int64_t id : ids) inside_.emplace(id, 0);
  }
  void enter(int64_t id) {
    auto found = inside_.find(id);
    if (found != inside_.end() && found->second++ == 0) ++covered_;
  }
  void leave(int64_t id) {
    auto found = inside_.find(id);
    if (found != inside_.end() && --found->second == 0) --covered_;
  }
  double share() const {
    return static_cast<double>(covered_) / static_cast<double>(inside_.size());
  }

 private:
  std::unordered_map<int64_t, int64_t> inside_;  // id -> occurrences in the window
  int64_t covered_ = 0;
};

}  // namespace

int64_t compresskv_insertion(std::span<const int64_t> context, double depth,
                             std::span<const int64_t> period_ids) {
  const auto count = static_cast<int64_t>(context.size());
  if (depth >= 1) return count;
  auto position = static_cast<int64_t>(static_cast<double>(count) * depth);
  const auto is_period = [&](int64_t id) {
    return std::find(period_ids.begin(), period_ids.end(), id) != period_ids.end();
  };
  while (position > 0 && !is_period(context[position - 1])) --position;
  return position;
}

int64_t boundary_at_or_before(std::span<const int64_t> boundaries, int64_t position) {
  const auto after = std::upper_bound(boundaries.begin(), boundaries.end(), position);
  return after == boundaries.begin() ? 0 : *(after - 1);
}

bool is_sentence_end(std::string_view left, std::string_view right) {
  if (trimmed(left) != ".") return false;
  return is_white(left.back()) || right.empty() || is_white(right.front());
}

bool ends_in_abbreviation(std::string_view text) {
  static constexpr std::string_view kTitles[] = {"Mr", "Mrs",  "Ms",  "Dr", "St",
                                                 "Mt", "Prof", "Rev", "Sr"};
  text = trimmed(text);
  if (!text.empty()) text.remove_suffix(1);
  const size_t space = text.find_last_of(kWhitespace);
  const std::string_view word = space == text.npos ? text : text.substr(space + 1);
  const bool is_initial = word.size() == 1 && word[0] >= 'A' && word[0] <= 'Z' && word != "I";
  return is_initial || std::find(std::begin(kTitles), std::end(kTitles), word) != std::end(kTitles);
}

TokenSpan find_exact(std::span<const int64_t> prompt, std::span<const int64_t> answer) {
  if (answer.empty()) return {};
  const auto found = std::search(prompt.begin(), prompt.end(), answer.begin(), answer.end());
  if (found == prompt.end()) return {};
  const int64_t begin = found - prompt.begin();
  return {begin, begin + static_cast<int64_t>(answer.size())};
}

TokenSpan find_covering(std::span<const int64_t> prompt, std::span<const int64_t> answer,
                        double share) {
  if (answer.empty()) return {};
  const auto count = static_cast<int64_t>(prompt.size());
  const auto width = static_cast<int64_t>(answer.size());
  WindowCover cover(answer);
  for (int64_t i = 0; i < std::min(width, count); ++i) cover.enter(prompt[i]);
  for (int64_t begin = 0; begin < count; ++begin) {
    const int64_t end = std::min(begin + width, count);
    if (cover.share() > share) return {begin, end};
    cover.leave(prompt[begin]);
    if (end < count) cover.enter(prompt[end]);
  }
  return {};
}

}  // namespace kvcal
