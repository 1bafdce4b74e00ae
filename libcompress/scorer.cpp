// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/scorer.hpp"

namespace kvcal {

std::vector<at::Tensor> Scorer::score_all(std::span<const LayerView> layers) const {
  std::vector<at::Tensor> scores;
  for (const auto& layer : layers) scores.push_back(score(layer));
  return scores;
}

}  // namespace kvcal
