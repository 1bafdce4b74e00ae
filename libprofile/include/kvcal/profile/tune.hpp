// SPDX-License-Identifier: Apache-2.0
// Calibrating what the papers set by hand: a space of selection parameters (configs/tuning), and a
// search through it that spends few prompts on bad points and many on good ones.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/profile/engine.hpp"
#include "kvcal/profile/method.hpp"
#include "kvcal/profile/results.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {

class Hdf5Reader;
class Hdf5Writer;

/// One point of a space: a value for each axis. The axis `allocator` names a part, all others are
/// parameters.
using Choice = std::map<std::string, ParamValue>;

class SearchSpace {
 public:
  /// @param spec  name in configs/tuning, or a path ending in .yaml
  /// @throws Error{config} unknown name, key, parameter or value, with its place
  static SearchSpace load(std::string_view spec);

  const std::string& name() const { return name_; }
  const std::string& compared_with() const { return compared_with_; }
  const Choice& start() const { return start_; }

  /// Points that differ from `from` on one axis.
  std::vector<Choice> neighbours(const Choice& from) const;
  /// A point whose values are drawn independently; `index` names it.
  Choice random(uint64_t seed, uint64_t index) const;
  /// `from` with other voters, as the space's `controls` say: does the choice of heads matter?
  std::vector<Choice> controls(const Choice& from) const;

  /// @throws Error{config} values that do not go together
  Method method(const Choice& choice, const std::string& name) const;

  /// Parameters of `method` on the axes of this space, where it has them.
  Choice point_of(const Method& method) const;

 private:
  struct Axis {
    std::string name;
    std::vector<ParamValue> values;
  };
  using Axes = std::vector<Axis>;
  /// Points that differ from `from` in one value of one of the axes.
  static std::vector<Choice> changed(const Choice& from, const Axes& axes);

  std::string name_, compared_with_, scorer_;
  Choice start_;
  Axes axes_, controls_;
  ParamMap fixed_;
};

std::vector<std::string> known_search_spaces();

/// "voters=window, pool_kernel=41": where `choice` differs from `from`.
std::string describe_change(const Choice& from, const Choice& choice);

struct SearchOptions {
  int64_t random_points = 48;  ///< of the first round
  int64_t rounds = 3;          ///< at most; each starts around the best point so far
  int64_t first_prompts = 4;   ///< that all points of a round see
  int64_t keep_one_of = 3;     ///< points that go on to twice the prompts
  int64_t prompts = 0;         ///< there are
  uint64_t seed = 0;
};

struct SearchRound {
  int64_t points = 0;  ///< that were tried
  Choice best;
  double loss = 0;  ///< of the best, over all prompts it saw
};

struct SearchResult {
  Choice best;
  double loss = 0;
  int64_t tried = 0;  ///< different points
  std::vector<SearchRound> rounds;
};

/// Losses of some points on one prompt; infinity for one that cannot be honoured there.
using Evaluate =
    std::function<std::vector<double>(int64_t prompt, std::span<const Choice> choices)>;

/// Successive halving over prompts: the first round tries the start and random points, the next
/// ones every neighbour of the best so far, until none is better. No point sees a prompt twice.
/// Deterministic in the seed and in what `evaluate` says.
SearchResult search(const SearchSpace& space, const SearchOptions& options,
                    const Evaluate& evaluate);

/// Loss of a variant against the full cache on the same prompt, nats a token: KL(full || variant)
/// over the full cache's answer, and how much less likely the reference answer became. A dense
/// signal where the task's score is 0 or 1. 0 for a prompt that was kept whole.
double selection_loss(const SampleRecord& variant, const SampleRecord& full);

/// Runs points of a space on prompts.
class Tuner {
 public:
  /// All references outlive the tuner.
  Tuner(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat, ProfileFacts facts,
        std::vector<Budget> budgets, Visibility visibility, uint64_t seed);

  /// Mean loss over the budgets of each method; infinity where a budget is below what it needs, or
  /// the model lacks what it asks for.
  std::vector<double> losses(const std::string& task, const Sample& sample,
                             std::span<const Method> methods);

  /// Records with answers and scores: the full cache first, then each method at each budget that
  /// it can honour.
  std::vector<SampleRecord> answer(const std::string& task, const Sample& sample,
                                   std::span<const Method> methods);

 private:
  std::vector<double> losses_of_all(const std::string& task, const Sample& sample,
                                    std::span<const Method> methods);
  std::vector<SampleRecord> run(Engine& engine, const std::string& task, const Sample& sample,
                                std::span<const Method> methods);
  bool can_honour(const Method& method, const Budget& budget, int64_t prompt_tokens) const;

  const Model& model_;
  const Tokenizer& tokenizer_;
  const ChatFormat& chat_;
  std::vector<Budget> budgets_;
  Visibility visibility_;
  Method full_;
  Engine fast_, answering_;
};

/// One shard of a run. Losses may be infinite.
void write_losses(Hdf5Writer& file, std::span<const double> losses);
/// @throws Error{input} damaged, or not `count` of them
std::vector<double> read_losses(const Hdf5Reader& file, int64_t count);

/// A method at a budget on held-out prompts, and its paired differences to the chosen one there.
struct HeldOutRow {
  std::string method, budget;
  int64_t n = 0;
  double score = 0, loss = 0, budget_tokens = 0;
  Interval score_interval = {}, loss_interval = {};
  /// This one less the chosen one: a loss above zero speaks for the chosen one.
  double score_delta = 0, loss_delta = 0;
  Interval score_delta_interval = {}, loss_delta_interval = {};
};

/// Rows in order of first appearance; the full cache has no loss and no delta.
/// @param chosen  name of the method that the others are compared with
std::vector<HeldOutRow> compare_held_out(std::span<const SampleRecord> records,
                                         std::string_view chosen, uint64_t seed);

}  // namespace kvcal
