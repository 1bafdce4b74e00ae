// SPDX-License-Identifier: Apache-2.0
#include "kvcal/compress/layer_view.hpp"

#include <algorithm>

namespace kvcal {

Needs Needs::operator|(const Needs& other) const {
  return {std::max(window_tokens, other.window_tokens), semantic_ranking || other.semantic_ranking,
          layer_error || other.layer_error, std::max(min_budget_tokens, other.min_budget_tokens)};
}

}  // namespace kvcal
