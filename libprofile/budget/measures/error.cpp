// SPDX-License-Identifier: Apache-2.0
/// Error: how far eviction moves each layer's attention output.
///
/// Source   arXiv:2508.02401 (CompressKV), offline.
/// Rule     see measure_layer_error; sums over decode steps, by task.
/// Part     /layers/error/<task>.
/// Checked  unit/layer_budget_test.cpp, parity/layer_error_test.cpp.
#include "kvcal/compress/error.hpp"

#include <algorithm>
#include <map>

#include "kvcal/profile/layer_budget.hpp"
#include "kvcal/profile/measure.hpp"

namespace kvcal {
namespace {

void add_to(std::vector<double>& sums, const std::vector<double>& more) {
  sums.resize(more.size());
  for (size_t i = 0; i < more.size(); ++i) sums[i] += more[i];
}

class LayerErrorMeasure final : public Measure {
 public:
  explicit LayerErrorMeasure(const MeasureSetup& setup) : setup_(setup) {}

  void run(const PromptReader& reader, const Sample& sample, Hdf5Writer& shard) const override {
    write_layer_error(
        shard, measure_layer_error(reader.model, reader.tokenizer, reader.chat, setup_.facts,
                                   setup_.method, setup_.error_budgets, sample, setup_.seed));
  }

  std::string add(const std::string& dataset, const Hdf5Reader& shard) override {
    const auto points = static_cast<int64_t>(setup_.error_budgets.curve.size());
    const auto sample = read_layer_error(shard, setup_.model.layers, points);
    auto& errors = by_dataset_[dataset];
    errors.curve_tokens = setup_.error_budgets.curve;
    add_to(errors.sum, sample.sum);
    add_to(errors.curve, sample.curve);
    errors.count += sample.steps;
    latest_ = &errors;
    return sample.prompt_sha256;
  }

  std::string estimate() const override {
    const auto& sum = latest_->sum;
    return fmt::format("most sensitive layer so far: {}",
                       std::max_element(sum.begin(), sum.end()) - sum.begin());
  }

  void store(Profile& profile) const override {
    for (const auto& [dataset, errors] : by_dataset_) {
      require(errors.count > 0, Kind::input,
              "task {}: no decode step was measured: every prompt is within {} tokens or got no "
              "answer",
              dataset, setup_.error_budgets.tokens);
      profile.layer_errors[dataset] = errors;
    }
  }

 private:
  MeasureSetup setup_;
  std::map<std::string, LayerErrors> by_dataset_;
  const LayerErrors* latest_ = nullptr;
};

bool holds(const Profile& profile, const std::string& dataset) {
  return profile.layer_errors.contains(dataset);
}

}  // namespace

extern constexpr MeasureInfo measure_error{
    "error",
    "CompressKV's, of each layer's output",
    "compresskv",
    false,
    &Needs::layer_error,
    [](const ProfileFacts& facts) { return facts.layer_error.has_value(); },
    holds,
    [](const MeasureSetup& setup) -> std::unique_ptr<Measure> {
      return std::make_unique<LayerErrorMeasure>(setup);
    }};

}  // namespace kvcal
