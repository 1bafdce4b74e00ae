// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/scorer.hpp"

namespace kvcal {

std::vector<at::Tensor> Scorer::score_all(std::span<const LayerView> layers) const {
  return of_each_layer(layers, [&](const LayerView& layer) { return score(layer); });
}

}  // namespace kvcal
