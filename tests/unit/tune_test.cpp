// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/tune.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

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

/// Least at window 24, kernel 15, max; each prompt adds noise of its own, the same for all points.
double loss_at(const Choice& choice, int64_t prompt) {
  const double noise = static_cast<double>(random_bits(5, static_cast<uint64_t>(prompt)) % 100);
  return std::abs(static_cast<double>(integer(choice, "window_tokens")) - 24) +
         std::abs(static_cast<double>(integer(choice, "pool_kernel")) - 15) +
         (std::get<std::string>(choice.at("pool")) == "max" ? 0 : 3) + noise;
}

struct Tried {
  SearchResult result;
  std::map<std::pair<int64_t, Choice>, int64_t> times;  // prompt, point
};

Tried try_search(const SearchOptions& options) {
  Tried tried;
  const Evaluate evaluate = [&](int64_t prompt, std::span<const Choice> choices) {
    std::vector<double> losses;
    for (const auto& choice : choices) {
      ++tried.times[{prompt, choice}];
      losses.push_back(loss_at(choice, prompt));
    }
    return losses;
  };
  tried.result = search(space_of(kSpace), options, evaluate);
  return tried;
}

TEST(Tune, TheSearchFindsTheLeastLossOfASeparableOne) {
  SearchOptions options;
  options.random_points = 3;
  options.rounds = 6;
  options.prompts = 9;
  const auto tried = try_search(options);
  EXPECT_EQ(integer(tried.result.best, "window_tokens"), 24);
  EXPECT_EQ(integer(tried.result.best, "pool_kernel"), 15);
  EXPECT_EQ(std::get<std::string>(tried.result.best.at("pool")), "max");
  for (const auto& [key, times] : tried.times) EXPECT_EQ(times, 1) << "prompt " << key.first;
}

TEST(Tune, FewPointsSeeAllPrompts) {
  SearchOptions options;
  options.random_points = 24;
  options.rounds = 1;
  options.prompts = 16;
  const auto tried = try_search(options);
  std::map<int64_t, int64_t> points;  // by prompt
  for (const auto& [key, times] : tried.times) ++points[key.first];
  EXPECT_EQ(points.at(0), tried.result.rounds[0].points);
  EXPECT_LT(points.at(15), points.at(0) / 2);
}

TEST(Tune, ValuesThatDoNotGoTogetherAreLeftOut) {
  const auto tried = try_search({.random_points = 60, .rounds = 2, .prompts = 2});
  for (const auto& [key, times] : tried.times) {
    EXPECT_NE(integer(key.second, "pool_kernel"), 4) << "an even kernel";
  }
}

TEST(Tune, EverySpaceOfTheProjectCanBeSearched) {
  ASSERT_FALSE(known_search_spaces().empty());
  for (const auto& name : known_search_spaces()) {
    const auto space = SearchSpace::load(name);
    EXPECT_EQ(space.name(), name);
    EXPECT_FALSE(load_method(space.compared_with()).is_full());
    EXPECT_GT(space.neighbours(space.start()).size(), 5u);
    for (const auto& control : space.controls(space.start())) space.method(control, "control");
  }
}

TEST(Tune, ASpaceWithAnUnknownAxisNamesTheNearest) {
  std::string text = kSpace;
  text.replace(text.rfind("pool_kernel"), 11, "pool_kernal");
  const auto message = test::error_text(Kind::config, [&] { space_of(text); });
  EXPECT_NE(message.find("unknown axis 'pool_kernal', did you mean 'pool_kernel'"),
            std::string::npos)
      << message;
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

}  // namespace
}  // namespace kvcal
