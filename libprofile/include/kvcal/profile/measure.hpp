// SPDX-License-Identifier: Apache-2.0
// Measure: what compression costs a model, prompt by prompt, and the part of a profile that it
// becomes. One file each in budget/measures/, found by the build.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/profile/engine.hpp"
#include "kvcal/profile/layer_budget.hpp"
#include "kvcal/profile/profile.hpp"

namespace kvcal {

class Hdf5Reader;
class Hdf5Writer;

/// What a measure is made from.
struct MeasureSetup {
  const ModelConfig& model;    ///< outlives the measure
  const ProfileFacts& facts;   ///< same
  Method method;               ///< what compresses
  ErrorBudgets error_budgets;  ///< (error)
  std::vector<double> shares;  ///< of the prompt that one unit keeps (the others)
  double rest_share = 0;       ///< of the prompt that all other units keep (influence)
  uint64_t seed = 0;
};

class Measure {
 public:
  virtual ~Measure() = default;

  /// Measures one prompt and writes its shard.
  virtual void run(const PromptReader& reader, const Sample& sample, Hdf5Writer& shard) const = 0;

  /// Adds a shard to what was measured before.
  /// @param dataset  the task it is of
  /// @return  sha256 of the prompt
  /// @throws Error{input} damaged, or of another model
  virtual std::string add(const std::string& dataset, const Hdf5Reader& shard) = 0;

  /// What it looks like so far, for people.
  virtual std::string estimate() const = 0;

  /// Replaces the profile's part.
  /// @throws Error{input} nothing could be measured
  virtual void store(Profile& profile) const = 0;
};

/// One row of the generated table; measures/<stem>.cpp ends in
/// `extern constexpr MeasureInfo measure_<stem>{..};`
struct MeasureInfo {
  std::string_view name;
  std::string_view summary;
  std::string_view default_method;
  bool cuts_one_unit;  ///< by --cost-method; else --method cuts the whole prompt
  /// The part of a profile that allocators ask for.
  bool Needs::*part;
  bool (*is_in)(const ProfileFacts& facts);
  /// The profile holds the measure of this dataset, to which nothing is added; null: it is
  /// replaced.
  bool (*holds)(const Profile& profile, const std::string& dataset);
  std::unique_ptr<Measure> (*make)(const MeasureSetup& setup);
};

std::span<const MeasureInfo* const> measure_table();

/// @throws Error{config} unknown name: lists the known ones and the nearest
const MeasureInfo& find_measure(std::string_view name);

}  // namespace kvcal
