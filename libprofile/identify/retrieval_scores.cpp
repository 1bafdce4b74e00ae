// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "kvcal/compress/error.hpp"
#include "kvcal/compress/kernels.hpp"
#include "kvcal/profile/identify.hpp"

namespace kvcal {

RetrievalScores::RetrievalScores(int64_t layers, int64_t heads, std::vector<int64_t> prompt,
                                 TokenSpan span, bool counts_repeats)
    : heads_(heads), prompt_(std::move(prompt)), span_(span), counts_repeats_(counts_repeats) {
  semantic_.resize(static_cast<size_t>(layers * heads));
  traditional_.resize(semantic_.size());
}

double RetrievalScores::weight_of(int64_t id) const {
  const auto begin = prompt_.begin() + span_.begin;
  const auto found = std::count(begin, begin + span_.size(), id);
  return counts_repeats_ ? static_cast<double>(found) : std::min<double>(1, found);
}

void RetrievalScores::add(const LookupPass& pass) {
  std::vector<int64_t> wanted;  // tokens of the pass behind which one of the answer was chosen
  for (size_t i = 0; i < pass.chosen.size(); ++i) {
    if (weight_of(pass.chosen[i]) > 0) wanted.push_back(static_cast<int64_t>(i));
  }
  if (wanted.empty()) return;
  const double scale = 1.0 / std::sqrt(static_cast<double>(pass.cache.head_dim()));
  for (int64_t layer = 0; layer < pass.cache.layers(); ++layer) {
    const auto rows = attention_rows(pass.queries[static_cast<size_t>(layer)], wanted,
                                     pass.cache.layer(layer), scale);
    for (size_t i = 0; i < rows.size(); ++i) {
      add_row(layer, rows[i], pass.chosen[static_cast<size_t>(wanted[i])]);
    }
  }
}

void RetrievalScores::add_row(int64_t layer, const at::Tensor& row, int64_t id) {
  // The prefix is the prompt, so a column is a position.
  const auto mass =
      row.narrow(1, span_.begin, span_.size()).sum(1, false, at::kDouble).to(at::kCPU);  // [heads]
  const auto top = row.argmax(1).to(at::kCPU);                                           // [heads]
  const double weight = weight_of(id);
  for (int64_t head = 0; head < heads_; ++head) {
    const auto i = static_cast<size_t>(layer * heads_ + head);
    semantic_[i] += weight * mass.const_data_ptr<double>()[head];
    const int64_t position = top.const_data_ptr<int64_t>()[head];
    const bool has_copied = position >= span_.begin && position < span_.end &&
                            prompt_[static_cast<size_t>(position)] == id;
    if (has_copied) traditional_[i] += 1.0 / static_cast<double>(span_.size());
  }
}

std::vector<float> RetrievalScores::semantic() const {
  return {semantic_.begin(), semantic_.end()};
}

std::vector<float> RetrievalScores::traditional() const {
  return {traditional_.begin(), traditional_.end()};
}

}  // namespace kvcal
