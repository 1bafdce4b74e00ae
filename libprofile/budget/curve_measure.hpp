// SPDX-License-Identifier: Apache-2.0
// What measures of curves share: one loss a prompt for each unit and share, summed over prompts.
// Not a measure.
#pragma once

#include <string>
#include <vector>

#include "kvcal/profile/layer_budget.hpp"
#include "kvcal/profile/measure.hpp"

namespace kvcal {

class CurveMeasure : public Measure {
 public:
  /// @param known_share  an end or middle point whose loss is zero by definition
  /// @param part         of the profile, that is replaced
  CurveMeasure(const MeasureSetup& setup, int64_t units, double known_share,
               std::optional<UnitCosts> Profile::*part);

  void run(const PromptReader& reader, const Sample& sample, Hdf5Writer& shard) const override;
  std::string add(const std::string& dataset, const Hdf5Reader& shard) override;
  std::string estimate() const override;
  void store(Profile& profile) const override;

 protected:
  virtual UnitCostSample losses_of(const PromptReader& reader, const Sample& sample) const = 0;
  const MeasureSetup& setup() const { return setup_; }

 private:
  MeasureSetup setup_;
  std::optional<UnitCosts> Profile::*part_;
  size_t known_;  // place of the known share
  UnitCosts costs_;
};

/// Both curves of what cutting one unit alone costs.
template <CostUnit of>
class UnitCostMeasure final : public CurveMeasure {
 public:
  explicit UnitCostMeasure(const MeasureSetup& setup)
      : CurveMeasure(setup, setup.model.layers * (of == CostUnit::layer ? 1 : setup.model.kv_heads),
                     /*known_share=*/1,
                     of == CostUnit::layer ? &Profile::layer_costs : &Profile::kv_head_costs) {}

 protected:
  UnitCostSample losses_of(const PromptReader& reader, const Sample& sample) const override {
    return measure_unit_costs(reader.model, reader.tokenizer, reader.chat, setup().facts,
                              setup().method, of, setup().shares, sample, setup().seed);
  }
};

}  // namespace kvcal
