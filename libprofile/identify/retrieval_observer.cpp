// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
#include "kvcal/profile/identify.hpp"

namespace kvcal {

RetrievalObserver::RetrievalObserver(int64_t layers, int64_t heads, std::vector<int64_t> prompt,
                                     TokenSpan span, bool counts_repeats)
    : heads_(heads), prompt_(std::move(prompt)), span_(span), counts_repeats_(counts_repeats) {
  const auto size = static_cast<size_t>(layers * heads);
  mass_.resize(size);
  top_.resize(size);
  semantic_.resize(size);
  traditional_.resize(size);
}

void RetrievalObserver::after_attention(const AttentionStep& step) {
  require(step.queries.size(1) == 1, Kind::internal,
          "head scores are taken from decode steps only");
  // The prefix is the whole prompt, so a column is a position.
  const auto row =
      attention_row(step.queries.select(1, 0), step.cache, step.scale);  // [heads, seen]
  const auto mass =
      row.narrow(1, span_.begin, span_.size()).sum(1, false, at::kDouble).to(at::kCPU);
  const auto top = row.argmax(1).to(at::kCPU);  // [heads]
  const auto first = static_cast<size_t>(step.layer * heads_);
  std::copy_n(mass.const_data_ptr<double>(), heads_, mass_.begin() + static_cast<int64_t>(first));
  std::copy_n(top.const_data_ptr<int64_t>(), heads_, top_.begin() + static_cast<int64_t>(first));
}

void RetrievalObserver::token_chosen(int64_t id) {
  if (span_.size() == 0) return;
  const auto begin = prompt_.begin() + span_.begin;
  const auto found = std::count(begin, begin + span_.size(), id);
  const double weight = counts_repeats_ ? static_cast<double>(found) : std::min<double>(1, found);
  for (size_t i = 0; i < mass_.size(); ++i) {
    semantic_[i] += weight * mass_[i];
    const bool has_copied = top_[i] >= span_.begin && top_[i] < span_.end &&
                            prompt_[static_cast<size_t>(top_[i])] == id;
    if (has_copied) traditional_[i] += 1.0 / static_cast<double>(span_.size());
  }
}

std::vector<float> RetrievalObserver::semantic() const {
  return {semantic_.begin(), semantic_.end()};
}

std::vector<float> RetrievalObserver::traditional() const {
  return {traditional_.begin(), traditional_.end()};
}

}  // namespace kvcal
