// SPDX-License-Identifier: Apache-2.0
#include "share_split.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "budget_split.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/compress/head_shares.hpp"

namespace kvcal {

at::Tensor split_by_share(const AllocationRequest& request, const std::vector<double>& shares,
                          double max_fraction) {
  require_budget(request, 1, "an entry");
  const auto most =
      static_cast<int64_t>(std::floor(max_fraction * static_cast<double>(request.tokens) + 1e-9));
  require(most >= request.budget_tokens, Kind::config,
          "max_fraction = {} of {} tokens is {}, less than the budget of {}", max_fraction,
          request.tokens, most, request.budget_tokens);
  const auto total = static_cast<double>(request.total());
  auto wanted = cap_shares(shares, static_cast<double>(most) / total);
  for (double& share : wanted) share *= total;
  const auto least = protected_entries(request);
  const auto kept = round_to_total(wanted, integers_of(least), most, request.total());
  return at::tensor(kept, at::kLong).view({request.layers, request.kv_heads});
}

}  // namespace kvcal
