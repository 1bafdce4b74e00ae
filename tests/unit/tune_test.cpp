// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/tune.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

#include "kvcal/profile/statistics.hpp"
#include "support/error_text.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

constexpr const char* kSpace = R"(
name: tiny
compared_with: snapkv
scorer: snapkv
start:
  allocator: uniform
  window_tokens: 8
  pool_kernel: 5
  pool: avg
starts:
  far: window_tokens=40 pool=max
axes:
  window_tokens: [8, 16, 24, 32]
  pool_kernel: [4, 5, 7, 15, 31]
  pool: avg max
)";

SearchSpace space_of(const std::string& text) {
  const auto file = test::scratch_dir() / "space.yaml";
  std::ofstream(file) << text;
  return SearchSpace::load(file.string());
}

int64_t integer(const Choice& choice, const char* axis) {
  return std::get<int64_t>(choice.at(axis));
}

/// Least at window 24 (at the second budget: 16), kernel 15, max; each prompt adds noise of its
/// own, the same for all points.
double loss_at(const Candidate& candidate, int64_t prompt) {
  const double noise = static_cast<double>(random_bits(5, static_cast<uint64_t>(prompt)) % 100);
  const auto& choice = candidate.choice;
  const double best_window = candidate.budget == 0 ? 24 : 16;
  return std::abs(static_cast<double>(integer(choice, "window_tokens")) - best_window) +
         std::abs(static_cast<double>(integer(choice, "pool_kernel")) - 15) +
         (std::get<std::string>(choice.at("pool")) == "max" ? 0 : 3) + noise;
}

struct Tried {
  std::vector<SearchResult> results;
  std::map<std::tuple<int64_t, Choice, size_t>, int64_t> times;  // prompt, point, budget
  int64_t calls = 0;                                             ///< prompts asked about
  const SearchResult& result() const { return results.front(); }
};

template <class Loss>
Tried try_search(const SearchOptions& options, const Loss& loss) {
  Tried tried;
  const Evaluate evaluate = [&](std::span<const Inquiry> inquiries) {
    std::vector<std::vector<double>> losses;
    for (const auto& [prompt, candidates] : inquiries) {
      losses.emplace_back();
      ++tried.calls;
      for (const auto& candidate : candidates) {
        ++tried.times[{prompt, candidate.choice, candidate.budget}];
        losses.back().push_back(loss(candidate, prompt));
      }
    }
    return losses;
  };
  tried.results = search(space_of(kSpace), options, evaluate);
  return tried;
}
Tried try_search(const SearchOptions& options) {
  return try_search(options, loss_at);
}

TEST(Tune, TheSearchFindsTheLeastLossOfASeparableOne) {
  SearchOptions options;
  options.random_points = 3;
  options.rounds = 6;
  options.prompts = 9;
  const auto tried = try_search(options);
  EXPECT_EQ(integer(tried.result().best, "window_tokens"), 24);
  EXPECT_EQ(integer(tried.result().best, "pool_kernel"), 15);
  EXPECT_EQ(std::get<std::string>(tried.result().best.at("pool")), "max");
  for (const auto& [key, times] : tried.times) {
    EXPECT_EQ(times, 1) << "prompt " << std::get<0>(key);
  }
  EXPECT_EQ(tried.result().looked, static_cast<int64_t>(tried.times.size()));
}

TEST(Tune, EachBudgetHasItsOwnBestAndTheyAreAskedAboutTogether) {
  SearchOptions options{.random_points = 3, .rounds = 6, .prompts = 9};
  const auto alone = try_search(options);
  options.budgets = 2;
  const auto both = try_search(options);
  ASSERT_EQ(both.results.size(), 2u);
  EXPECT_EQ(integer(both.results[0].best, "window_tokens"), 24);
  EXPECT_EQ(integer(both.results[1].best, "window_tokens"), 16);
  EXPECT_EQ(both.results[0].tried, alone.result().tried) << "another budget changes nothing";
  EXPECT_LT(both.calls, 2 * alone.calls);
}

/// The far start is by much the worst point on the first prompts and the best on all of them.
TEST(Tune, AStartIsJudgedOnAllPrompts) {
  const auto late = [](const Candidate& candidate, int64_t prompt) {
    const bool is_far = integer(candidate.choice, "window_tokens") == 40;
    return is_far ? (prompt < 4 ? 9.0 : 0.0) : 6.0 + loss_at(candidate, 0) / 1000;
  };
  const auto tried = try_search({.random_points = 12, .rounds = 1, .prompts = 16}, late);
  EXPECT_EQ(integer(tried.result().best, "window_tokens"), 40);
}

/// Every neighbour is better on the first prompts, none of them on all.
TEST(Tune, ALaterRoundDoesNotLoseTheBestSoFar) {
  const auto early = [](const Candidate& candidate, int64_t prompt) {
    const bool is_far = integer(candidate.choice, "window_tokens") == 40 &&
                        integer(candidate.choice, "pool_kernel") == 5 &&
                        std::get<std::string>(candidate.choice.at("pool")) == "max";
    return is_far ? 1.0 : prompt < 4 ? 0.0 : 5.0;
  };
  const auto tried = try_search({.random_points = 4, .rounds = 3, .prompts = 16}, early);
  EXPECT_EQ(integer(tried.result().best, "window_tokens"), 40);
  EXPECT_EQ(tried.result().rounds.size(), 2u) << "settled";
}

TEST(Tune, FewPointsSeeAllPrompts) {
  SearchOptions options;
  options.random_points = 24;
  options.rounds = 1;
  options.prompts = 16;
  const auto tried = try_search(options);
  std::map<int64_t, int64_t> points;  // by prompt
  for (const auto& [key, times] : tried.times) ++points[std::get<0>(key)];
  EXPECT_EQ(points.at(0), tried.result().rounds[0].points);
  EXPECT_LT(points.at(15), points.at(0) / 2);
}

TEST(Tune, ValuesThatDoNotGoTogetherAreLeftOut) {
  const auto tried = try_search({.random_points = 60, .rounds = 2, .prompts = 2});
  for (const auto& [key, times] : tried.times) {
    EXPECT_NE(integer(std::get<Choice>(key), "pool_kernel"), 4) << "an even kernel";
  }
}

TEST(Tune, AnAxisOfAnAllocatorIsForPointsWithThatAllocator) {
  const auto space = space_of(R"(
name: split
compared_with: snapkv
scorer: snapkv
start:
  allocator: uniform
  max_ratio: 3.0
axes:
  allocator: uniform layer_error
  max_ratio: [3.0, 5.0]
)");
  const Choice uniform = space.starts().front().choice;
  const auto others = space.neighbours(uniform);
  ASSERT_EQ(others.size(), 1u) << "uniform budgets have no max_ratio to change";
  EXPECT_EQ(others[0].at("allocator"), ParamValue("layer_error"));
  EXPECT_EQ(space.neighbours(others[0]).size(), 2u);
  EXPECT_FALSE(space.method(uniform, "u").params.contains("max_ratio"));
  EXPECT_TRUE(space.method(others[0], "l").params.contains("max_ratio"));
}

TEST(Tune, AnAxisThatAnotherValueMakesMeaninglessIsNotSearchedThere) {
  const auto space = space_of(R"(
name: pooled
compared_with: compresskv
scorer: window_vote
start:
  allocator: uniform
  pool: avg
  pool_kernel: 5
axes:
  pool: avg sentence
  pool_kernel: [5, 15, 31]
)");
  Choice wide = space.starts().front().choice;
  wide["pool_kernel"] = int64_t{31};
  const auto others = space.neighbours(wide);
  ASSERT_EQ(others.size(), 3u);
  const auto sentences = std::find_if(others.begin(), others.end(), [](const Choice& choice) {
    return choice.at("pool") == ParamValue("sentence");
  });
  ASSERT_NE(sentences, others.end());
  EXPECT_EQ(describe_change(wide, *sentences), "pool=sentence");
  EXPECT_FALSE(sentences->contains("pool_kernel"));
  const auto back = space.neighbours(*sentences);
  ASSERT_EQ(back.size(), 1u) << "no kernel to change";
  EXPECT_EQ(describe_change(*sentences, back[0]), "pool=avg, pool_kernel=5") << "that of `start`";
  std::set<Choice> drawn;
  for (uint64_t i = 0; i < 100; ++i) drawn.insert(space.random(0, i));
  EXPECT_EQ(drawn.size(), 4u) << "three kernels, and sentences";
}

TEST(Tune, EverySpaceOfTheProjectCanBeSearched) {
  ASSERT_FALSE(known_search_spaces().empty());
  for (const auto& name : known_search_spaces()) {
    const auto space = SearchSpace::load(name);
    EXPECT_EQ(space.name(), name);
    EXPECT_FALSE(load_method(space.compared_with()).is_full());
    ASSERT_FALSE(space.starts().empty());
    const auto& start = space.starts().front().choice;
    EXPECT_GT(space.neighbours(start).size(), 5u);
    for (const auto& control : space.controls(start)) space.method(control, "control");
  }
}

TEST(Tune, AStartThatIsNoListOfValuesSaysHowToWriteOne) {
  for (const char* bad : {"window_tokens", "window_tokens=", "=8", "window_tokens=many"}) {
    std::string text = kSpace;
    text.replace(text.find("window_tokens=40 pool=max"), 25, bad);
    const auto message = test::error_text(Kind::config, [&] { space_of(text); });
    EXPECT_NE(message.find("space.yaml:"), std::string::npos) << message;
    EXPECT_NE(message.find("need "), std::string::npos) << message;
  }
}

TEST(Tune, ContendersAreTheChoiceThePaperStartsControlsAndWhatEachValueBought) {
  const auto space = space_of(std::string(kSpace) + "controls:\n  allocator: uniform kl\n");
  Choice best = space.starts().front().choice;
  best["window_tokens"] = int64_t{32};
  std::vector<std::string> names;
  const auto [methods, left_out] = contenders(space, best, {});
  for (const auto& method : methods) names.push_back(method.name);
  // The allocator and the pool are the paper's already.
  EXPECT_EQ(names, (std::vector<std::string>{"tiny_tuned", "snapkv", "start", "start far"}))
      << "`start` is the chosen point with the paper's window: one method, not two";
  ASSERT_EQ(left_out.size(), 1u);
  EXPECT_EQ(left_out[0].method, "with allocator=kl");
  EXPECT_EQ(left_out[0].reason, "needs cost curves of layers: run layer-budget --measure kl");
  ProfileFacts facts;
  facts.layer_costs.emplace();
  EXPECT_EQ(contenders(space, best, facts).methods.back().name, "with allocator=kl");
}

TEST(Tune, ASpaceWithAnUnknownAxisNamesTheNearest) {
  std::string text = kSpace;
  text.replace(text.rfind("pool_kernel"), 11, "pool_kernal");
  const auto message = test::error_text(Kind::config, [&] { space_of(text); });
  EXPECT_NE(message.find("unknown axis 'pool_kernal', did you mean 'pool_kernel'"),
            std::string::npos)
      << message;
}

TEST(Tune, FinalistsAreTheBestOfThoseThatSawAllPromptsAndTheStarts) {
  SearchOptions options{.random_points = 20, .rounds = 3, .prompts = 9, .finalists = 2};
  const auto result = try_search(options).result();
  ASSERT_EQ(result.finalists.size(), 4u) << "two and two starts";
  EXPECT_EQ(result.finalists.front(), result.best);
  const auto space = space_of(kSpace);
  for (const auto& start : space.starts()) {
    EXPECT_NE(std::find(result.finalists.begin(), result.finalists.end(), start.choice),
              result.finalists.end())
        << start.name;
  }
}

TEST(Tune, TheScoreDecidesAmongFinalistsAndTheLossAmongEqualScores) {
  std::vector<HeldOutRow> rows(3);
  rows[0].score = .9, rows[1].score = .95, rows[2].score = .95;
  EXPECT_EQ(best_by_score(rows), 1u);
  rows[1].score = rows[2].score = .9;
  EXPECT_EQ(best_by_score(rows), 0u);
}

/// Rows as three budgets of a run would give; the paper's method cannot honour the smallest.
TEST(Tune, SettingsAreInOrderOfTheirBudgets) {
  TunedSpace tuned;
  tuned.name = "tiny", tuned.compared_with = "snapkv", tuned.chosen = "tiny_tuned";
  tuned.tuned_on = 5;
  HeldOutRow full{.method = "full", .budget = "full", .n = 3, .score = .9};
  tuned.rows.push_back(full);
  const auto space = space_of(kSpace);
  for (const auto& [budget, tokens] : {std::pair("6%", 120.0), {"10", 10.0}, {"120", 120.0}}) {
    const auto method = space.method(space.starts().front().choice, "tiny_tuned");
    tuned.budgets.push_back({.budget = budget, .contenders = {method}});
    HeldOutRow row{.method = "tiny_tuned", .budget = budget, .n = 3, .score = .8, .loss = .25};
    row.budget_tokens = tokens;
    tuned.rows.push_back(row);
    row.method = "snapkv", row.loss = 2;
    if (tokens > 10) tuned.rows.push_back(row);
  }
  const auto settings = settings_of(tuned, "niah");
  ASSERT_EQ(settings.size(), 2u) << "6% and 120 are one budget here";
  EXPECT_EQ(settings[0].budgets, "10");
  EXPECT_EQ(settings[0].compared_with, "");
  EXPECT_EQ(settings[1].budgets, "6%");
  EXPECT_EQ(settings[1].budget_tokens, 120);
  EXPECT_EQ(settings[1].default_loss, 2);
  EXPECT_EQ(settings[1].full_score, .9);
  EXPECT_EQ(settings[1].held_out, 3);
}

SampleRecord record(const std::string& sample, const std::string& method, double score, double kl,
                    double nll) {
  SampleRecord record;
  record.task = "t", record.sample = sample, record.method = method;
  record.budget = method == "full" ? "full" : "3%";
  record.score = score, record.kl = kl, record.answer_nll = nll;
  return record;
}

TEST(Tune, LossIsDivergenceAndWhatTheAnswerLost) {
  const auto full = record("a", "full", 1, 0, .5), cut = record("a", "x", 0, .25, 1.5);
  EXPECT_DOUBLE_EQ(selection_loss(cut, full), 1.25);
  auto whole = cut;
  whole.uncompressed = true;
  EXPECT_EQ(selection_loss(whole, full), 0);
}

TEST(Tune, HeldOutRowsArePairedWithTheChosenOne) {
  const std::vector<SampleRecord> records{
      record("a", "full", 1, 0, 1), record("a", "tuned", 1, .1, 1), record("a", "paper", 0, 1, 2),
      record("b", "full", 1, 0, 1), record("b", "tuned", 1, .3, 1), record("b", "paper", 1, 2, 2)};
  const auto rows = compare_held_out(records, "tuned", 0);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[2].method, "paper");
  EXPECT_DOUBLE_EQ(rows[1].loss, .2);
  EXPECT_DOUBLE_EQ(rows[2].loss, 2.5);
  EXPECT_DOUBLE_EQ(rows[2].loss_delta, 2.3);
  EXPECT_DOUBLE_EQ(rows[2].score_delta, -.5);
  EXPECT_GT(rows[2].loss_delta_interval.low, 0);
}

/// Samples of two tasks may have the same name; a prompt that was kept whole says nothing.
TEST(Tune, HeldOutRowsKeepTasksApartAndLeaveOutWholePrompts) {
  std::vector<SampleRecord> records{
      record("a", "full", 1, 0, 1), record("a", "tuned", 1, .5, 1), record("a", "paper", 1, 1, 1),
      record("a", "full", 1, 0, 1), record("a", "tuned", 1, .1, 1), record("a", "paper", 0, 2, 1),
      record("b", "full", 1, 0, 1), record("b", "tuned", 1, 0, 1),  record("b", "paper", 1, 0, 1)};
  for (size_t i = 3; i < 6; ++i) records[i].task = "u";
  records[7].uncompressed = records[8].uncompressed = true;
  const auto rows = compare_held_out(records, "tuned", 0);
  EXPECT_EQ(rows[0].n, 3);
  EXPECT_EQ(rows[1].n, 2);
  EXPECT_DOUBLE_EQ(rows[1].loss, .3);
  EXPECT_DOUBLE_EQ(rows[2].loss_delta, 1.2);
  EXPECT_DOUBLE_EQ(rows[2].score_delta, -.5);
}

}  // namespace
}  // namespace kvcal
