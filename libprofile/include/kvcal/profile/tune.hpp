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
#include "kvcal/profile/profile.hpp"
#include "kvcal/profile/results.hpp"
#include "kvcal/profile/statistics.hpp"

namespace kvcal {

class Hdf5Reader;
class Hdf5Writer;

/// One point of a space: a value for each axis that has a meaning there. The axis `allocator` names
/// a part, all others are parameters of the scorer or of an allocator; points with another
/// allocator, or with values beside which a parameter says nothing (FieldInfo::unless), leave them
/// out.
using Choice = std::map<std::string, ParamValue>;

/// A point that is tried because someone thought it good.
struct StartingPoint {
  std::string name;
  Choice choice;
};

class SearchSpace {
 public:
  /// @param spec  name in configs/tuning, or a path ending in .yaml
  /// @throws Error{config} unknown name, key, parameter or value, with its place
  static SearchSpace load(std::string_view spec);

  const std::string& name() const { return name_; }
  const std::string& compared_with() const { return compared_with_; }
  /// Of its file: a run of another space is not resumed.
  const std::string& sha256() const { return sha256_; }
  /// Name of the method with chosen values.
  std::string chosen_name() const { return name_ + "_tuned"; }
  /// At least one: the space's `start`, and what its `starts` change of it.
  const std::vector<StartingPoint>& starts() const { return starts_; }

  /// Points that differ from `from` on one axis.
  std::vector<Choice> neighbours(const Choice& from) const;
  /// A point whose values are drawn independently; `index` names it.
  Choice random(uint64_t seed, uint64_t index) const;
  /// `from` with one value of the space's `controls` in its place: other voters, other allocators.
  std::vector<Choice> controls(const Choice& from) const;

  /// The same point without the axes that have no meaning there; those that have and lack a value
  /// take `start`'s.
  Choice meaningful(const Choice& choice) const;

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
  std::vector<Choice> changed(const Choice& from, const Axes& axes) const;
  /// Scorer or allocator of the point have such a parameter, and it has a meaning there.
  bool uses(const Choice& choice, const std::string& axis) const;

  std::string name_, compared_with_, scorer_, sha256_;
  Choice start_;  ///< a value for every axis, meaningful or not
  std::vector<StartingPoint> starts_;
  Axes axes_, controls_;
};

std::vector<std::string> known_search_spaces();

/// "voters=window, pool_kernel=41": where `choice` differs from `from`.
std::string describe_change(const Choice& from, const Choice& choice);

/// A point at one of the budgets of a search.
struct Candidate {
  Choice choice;
  size_t budget = 0;  ///< 0 .. SearchOptions::budgets - 1
};

struct SearchOptions {
  size_t budgets = 1;          ///< that are searched side by side, each for itself
  int64_t random_points = 48;  ///< of the first round
  int64_t rounds = 3;          ///< at most; each starts around the best point so far
  int64_t first_prompts = 4;   ///< that all points of a round see
  int64_t keep_one_of = 3;     ///< points that go on to twice the prompts
  int64_t prompts = 0;         ///< there are
  int64_t finalists = 4;       ///< beside the starts
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
  int64_t tried = 0;   ///< different points
  int64_t looked = 0;  ///< losses, each of a point on a prompt
  std::vector<SearchRound> rounds;
  /// Points of the least losses of those that saw all prompts, the best one first, and the starts.
  std::vector<Choice> finalists;
};

/// What a search asks about one prompt.
struct Inquiry {
  int64_t prompt;
  std::vector<Candidate> candidates;
};

/// Answers inquiries about different prompts, which may be looked at in any order.
/// @return  [inquiries, candidates] losses; infinity for one that cannot be honoured there
using Evaluate = std::function<std::vector<std::vector<double>>(std::span<const Inquiry>)>;

/// Successive halving over prompts, at each budget: the first round tries the starts and random
/// points, the next ones every neighbour of the best so far, until none is better. Starts, and the
/// best so far, are never halved away, so that the result is at least as good as each of them on
/// all prompts. Budgets go in step: what they ask about a prompt is asked at once. No candidate
/// sees a prompt twice. Deterministic in the seed and in what `evaluate` says.
/// @return [budgets]
std::vector<SearchResult> search(const SearchSpace& space, const SearchOptions& options,
                                 const Evaluate& evaluate);

/// Loss of a variant against the full cache on the same prompt, nats a token: KL(full || variant)
/// over the full cache's answer, and how much less likely the reference answer became. A dense
/// signal where the task's score is 0 or 1. 0 for a prompt that was kept whole.
double selection_loss(const SampleRecord& variant, const SampleRecord& full);

/// A method at one of a tuner's budgets.
struct BudgetedMethod {
  const Method* method = nullptr;
  size_t budget = 0;
};

/// Runs points of a space on prompts.
class Tuner {
 public:
  /// All references outlive the tuner.
  Tuner(const Model& model, const Tokenizer& tokenizer, const ChatFormat& chat, ProfileFacts facts,
        std::vector<Budget> budgets, Visibility visibility, uint64_t seed);

  const std::vector<Budget>& budgets() const { return budgets_; }
  const ProfileFacts& facts() const { return facts_; }

  /// Loss of each candidate; infinity where its budget is below what it needs, or model or profile
  /// lack what it asks for.
  std::vector<double> losses(const std::string& task, const Sample& sample,
                             const SearchSpace& space, std::span<const Candidate> candidates);

  /// Records with answers and scores: the full cache first, then each method that can honour its
  /// budget.
  std::vector<SampleRecord> answer(const std::string& task, const Sample& sample,
                                   std::span<const BudgetedMethod> methods);

 private:
  std::vector<double> losses_of(const std::string& task, const Sample& sample,
                                std::span<const BudgetedMethod> methods);
  std::vector<double> losses_of_all(const std::string& task, const Sample& sample,
                                    std::span<const BudgetedMethod> methods);
  std::vector<SampleRecord> run(Engine& engine, const std::string& task, const Sample& sample,
                                std::span<const BudgetedMethod> methods);
  std::vector<bool> can_honour(const Sample& sample, std::span<const BudgetedMethod> methods) const;

  const Model& model_;
  const Tokenizer& tokenizer_;
  const ChatFormat& chat_;
  ProfileFacts facts_;
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

/// Rows in order of first appearance, over all tasks; the full cache has no loss and no delta.
/// Prompts that a budget left whole do not count.
/// @param chosen  name of the method that the others are compared with, at each budget
std::vector<HeldOutRow> compare_held_out(std::span<const SampleRecord> records,
                                         std::string_view chosen, uint64_t seed);

/// Index of the row with the highest score, of equal ones the first: scores confirm what the loss
/// found, which is a stand-in for them.
/// @param rows  of finalists at one budget, the least loss first; not empty
size_t best_by_score(std::span<const HeldOutRow> rows);

/// A comparison that could not be made.
struct LeftOut {
  std::string method;
  std::string reason;  ///< "needs cost curves of layers: run layer-budget --measure kl"
};

struct Contenders {
  std::vector<Method> methods;
  std::vector<LeftOut> left_out;  ///< for lack of facts
};

/// What runs on held-out prompts: the chosen point first; then the paper's method, the starts, the
/// controls, and the chosen point with one value set back to the paper's.
Contenders contenders(const SearchSpace& space, const Choice& best, const ProfileFacts& facts);

/// The choice at one budget, and what it ran against.
struct TunedBudget {
  std::string budget;  ///< as asked
  SearchResult search = {};
  Choice chosen = {};                      ///< the finalist with the best score
  std::vector<HeldOutRow> finalists = {};  ///< on the tuning prompts, as `search` lists them
  std::vector<Method> contenders = {};     ///< the chosen one first
  std::vector<LeftOut> left_out = {};      ///< for lack of facts, or of tokens
};

/// What the search in one space found.
struct TunedSpace {
  std::string name, compared_with;
  std::string chosen;  ///< name of the chosen method of each budget in `rows`
  std::vector<TunedBudget> budgets;
  std::vector<HeldOutRow> rows;
  int64_t tuned_on = 0, held_out = 0;  ///< prompts
};

/// A setting for each budget as the profile keeps them, the smallest first.
/// @param tasks  that were tuned on, for the record
std::vector<Selection> settings_of(const TunedSpace& tuned, const std::string& tasks);

}  // namespace kvcal
