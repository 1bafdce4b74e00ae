// SPDX-License-Identifier: Apache-2.0
#include "budget/curve_measure.hpp"

#include <algorithm>

#include "kvcal/compress/error.hpp"

namespace kvcal {

CurveMeasure::CurveMeasure(const MeasureSetup& setup, int64_t units, double known_share,
                           std::optional<UnitCosts> Profile::*part)
    : setup_(setup), part_(part) {
  const auto& shares = setup.shares;
  const bool is_ascending = std::is_sorted(shares.begin(), shares.end(), std::less_equal<>());
  require(!shares.empty() && is_ascending && shares.front() > 0 && shares.back() < 1, Kind::config,
          "--shares {}: need ascending shares above 0 and below 1", fmt::join(shares, ","));
  costs_.units = units;
  costs_.shares = shares;
  const auto place = std::lower_bound(shares.begin(), shares.end(), known_share);
  require(place == shares.end() || *place != known_share, Kind::config,
          "--shares has {}, which is what the other KV heads keep: its loss is known to be 0",
          known_share);
  known_ = static_cast<size_t>(place - shares.begin());
  costs_.shares.insert(costs_.shares.begin() + static_cast<int64_t>(known_), known_share);
  costs_.sum.resize(static_cast<size_t>(units) * costs_.shares.size());
}

void CurveMeasure::run(const PromptReader& reader, const Sample& sample, Hdf5Writer& shard) const {
  write_unit_costs(shard, losses_of(reader, sample));
}

std::string CurveMeasure::add(const std::string&, const Hdf5Reader& shard) {
  const auto shares = static_cast<int64_t>(setup_.shares.size());
  const auto sample = read_unit_costs(shard, costs_.units, shares);
  size_t measured = 0;
  for (size_t i = 0; i < costs_.sum.size(); ++i) {
    if (i % costs_.shares.size() != known_) costs_.sum[i] += sample.losses[measured++];
  }
  ++costs_.count;
  return sample.prompt_sha256;
}

std::string CurveMeasure::estimate() const {
  return fmt::format("{} units", costs_.units);
}

void CurveMeasure::store(Profile& profile) const {
  profile.*part_ = costs_;
}

}  // namespace kvcal
