// SPDX-License-Identifier: Apache-2.0
// Allocators that split by KV head (ada, ada_kvf, head_score, lukv) against kvpress and
// KVCache-Factory; see README.md.
#include <fstream>
#include <nlohmann/json.hpp>

#include "parity/compress/split_case.hpp"

namespace kvcal {
namespace {

using test::numbers;
using test::params_of;
using test::SafetensorsCase;

/// One layer.
at::Tensor allocate(std::string_view allocator, const ParamMap& params, const at::Tensor& scores,
                    int64_t budget, const ProfileFacts* profile = nullptr) {
  auto request = test::request_of(1, scores.size(0), scores.size(1), budget);
  const std::vector<at::Tensor> layers{scores};
  request.scores = layers;
  request.profile = profile;
  return find_allocator(allocator).make(params)->allocate(request)[0];
}

class HeadSplitParity : public testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path find(const std::string& name) const {
    return test::case_file(name, GetParam());
  }
};

INSTANTIATE_TEST_SUITE_P(Case, HeadSplitParity, testing::Values("small", "real"),
                         [](const auto& size) { return size.param; });

TEST_P(HeadSplitParity, AdaKeepsAsKvpress) {
  const auto file = find("adakv"), input = find("input");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = test::view_of(SafetensorsCase(input));
  const auto scores = test::snapkv_scores(view);
  const int64_t budget = view.tokens() / 4;
  for (const double alpha : {0.0, 0.2, 0.5, 1.0}) {
    const auto name = fmt::format("kvpress_alpha{:.1f}", alpha);
    SCOPED_TRACE(name);
    const auto kept = allocate("ada", params_of({{"alpha", alpha}}), scores, budget);
    test::expect_ragged(select_top(scores, kept), expected[name + ".kept"],
                        expected[name + ".offsets"], scores);
  }
  // Given scores of Expected Attention, sinks one above the highest.
  const auto rated = SafetensorsCase(find("expected_attention"))["default.scores"];
  const auto kept = allocate("ada", {}, rated, budget);
  test::expect_ragged(select_top(rated, kept), expected["kvpress_ea_alpha0.2.kept"],
                      expected["kvpress_ea_alpha0.2.offsets"], rated);
}

TEST_P(HeadSplitParity, AdaKvfKeepsAsKvCacheFactory) {
  const auto file = find("adakv");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto scores = test::with_window(expected["kvf.scores"], 8);
  for (const bool normalize : {false, true}) {
    const auto name = fmt::format("kvf_normalize{:d}", normalize);
    SCOPED_TRACE(name);
    const auto kept =
        allocate("ada_kvf", params_of({{"normalize", normalize}}), scores, scores.size(1) / 4);
    test::expect_ragged(select_top(scores, kept), expected[name + ".kept"],
                        expected[name + ".offsets"], scores);
  }
}

TEST(HeadSplitParityFromScores, AdaCountsAsKvpress) {
  const SafetensorsCase expected(test::test_file("parity/compress/adakv_from_scores.safetensors"));
  const auto scores = expected["scores"];
  int64_t compared = 0;
  for (const int64_t budget : {8, 16, 32, 40}) {
    for (const double alpha : {0.0, 0.1, 0.2, 0.5, 0.9, 1.0}) {
      const auto name = fmt::format("kvpress_n{}_alpha{:.1f}", budget, alpha);
      if (!expected.has(name + ".kept")) continue;
      SCOPED_TRACE(name);
      const auto kept = allocate("ada", params_of({{"alpha", alpha}}), scores, budget);
      const auto keep = select_top(scores, kept);
      EXPECT_EQ(numbers(keep.offsets), numbers(expected[name + ".offsets"]));
      EXPECT_EQ(numbers(keep.indices), numbers(expected[name + ".kept"]));
      ++compared;
    }
  }
  EXPECT_EQ(compared, 18);
}

TEST(HeadSplitParityFromScores, AdaKvfCountsAsKvCacheFactory) {
  const SafetensorsCase expected(test::test_file("parity/compress/adakv_from_scores.safetensors"));
  const auto scores = test::with_window(expected["scores"], 8);
  for (const int64_t budget : {8, 16, 40}) {
    for (const double floor : {0.0, 0.2}) {
      for (const bool normalize : {false, true}) {
        const auto name =
            fmt::format("kvf_b{}_floor{:.1f}_normalize{:d}", budget, floor, normalize);
        SCOPED_TRACE(name);
        const auto kept = allocate(
            "ada_kvf", params_of({{"floor", floor}, {"normalize", normalize}}), scores, budget + 8);
        const auto keep = select_top(expected["scores"], kept - 8);
        EXPECT_EQ(numbers(keep.offsets), numbers(expected[name + ".offsets"]));
        EXPECT_EQ(numbers(keep.indices), numbers(expected[name + ".kept"]));
      }
    }
  }
}

TEST_P(HeadSplitParity, HeadScoreKeepsAsKvCacheFactory) {
  const auto file = find("headkv");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto scores = test::with_window(expected["scores"], 8);
  // Scores that give the capacities: with head_beta 1 all entries follow the scores, and a second
  // layer brings their sum to the budget.
  const auto capacity = expected["head_capacity"].to(at::kDouble);
  const auto heads = capacity.numel();
  const int64_t budget = 64;
  const double rest = static_cast<double>(2 * heads * budget) - capacity.sum().item<double>();
  const auto* first = capacity.const_data_ptr<double>();
  ProfileFacts profile;
  profile.head_scores = {
      std::vector<double>(first, first + heads),
      std::vector<double>(static_cast<size_t>(heads), rest / static_cast<double>(heads))};
  auto request = test::request_of(2, scores.size(0), scores.size(1), budget);
  const std::vector<at::Tensor> layers{scores, scores};
  request.scores = layers;
  request.profile = &profile;
  const auto allocator =
      find_allocator("head_score").make(params_of({{"rule", "kvf"}, {"head_beta", 1.0}}));
  const auto keep = select_top(scores, allocator->allocate(request)[0]);
  test::expect_ragged(keep, expected["kept"], expected["offsets"], scores);
}

/// Mean of each head's samples in KVCache-Factory's published files.
std::vector<std::vector<double>> published_scores(const std::filesystem::path& file) {
  std::vector<std::vector<double>> scores(32, std::vector<double>(32));
  const auto json = nlohmann::json::parse(std::ifstream(file));
  for (const auto& [name, samples] : json.items()) {
    const auto dash = name.find('-');
    double sum = 0;
    for (const double sample : samples) sum += sample;
    scores[std::stoul(name.substr(0, dash))][std::stoul(name.substr(dash + 1))] =
        sum / static_cast<double>(samples.size());
  }
  return scores;
}

TEST(HeadSplitParityPublished, HeadScoreCapacitiesAreKvCacheFactorys) {
  const auto file = test::external_data("golden/methods/headkv_budgets.safetensors");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const std::pair<std::string, std::string> models[] = {{"llama3", "Meta-Llama-3-8B-Instruct"},
                                                        {"mistral", "Mistral-7B-Instruct-v0.2"}};
  const std::pair<int64_t, std::string> cells[] = {{64, "1.01"},   {128, "1.01"}, {128, "1.2"},
                                                   {256, "1.1"},   {512, "1.5"},  {1024, "1.01"},
                                                   {2048, "1.005"}};
  for (const auto& [short_name, model] : models) {
    const auto scores = test::external_data("headkv/" + model + "_retrieval_reasoning_heads.json");
    KVCAL_SKIP_IF_ABSENT(scores, "headkv");
    ProfileFacts profile;
    profile.head_scores = published_scores(scores);
    for (const auto& [budget, beta] : cells) {
      const auto name = fmt::format("{}_B{}_beta{}", short_name, budget, beta);
      SCOPED_TRACE(name);
      // As many KV heads as heads: the capacity of each query head, and the window.
      auto request = test::request_of(32, 32, 1000000, budget);
      request.profile = &profile;
      const auto allocator =
          find_allocator("head_score")
              .make(params_of({{"rule", "kvf"}, {"head_beta", std::stod(beta)}}));
      EXPECT_TRUE(at::equal(allocator->allocate(request) - 8, expected[name]));
    }
  }
}

TEST_P(HeadSplitParity, LuKvKeepsAsKvpress) {
  const auto file = find("lukv"), input = find("input");
  KVCAL_SKIP_IF_ABSENT(file, "golden/methods");
  const SafetensorsCase expected(file);
  const auto view = test::view_of(SafetensorsCase(input));
  // kvpress protects no window here, it gives it the highest scores.
  auto scores = test::snapkv_scores(view);
  const auto past = scores.narrow(1, 0, view.tokens() - 8);
  scores.masked_fill_(at::isposinf(scores), past.max().item<double>() + 1);
  ProfileFacts profile;
  const std::vector<double> nothing(static_cast<size_t>(view.kv_heads()), 0.0);
  profile.prune_table.emplace(99, std::vector(1, nothing));
  const auto table = expected["table"].to(at::kDouble);  // [3, 1, kv_heads]
  const std::pair<double, std::string> ratios[] = {{.25, "r0.25"}, {.5, "r0.5"}, {.75, "r0.75"}};
  for (int64_t i = 0; i < 3; ++i) {
    const auto& [ratio, name] = ratios[i];
    const auto row = table[i][0];
    const auto* begin = row.const_data_ptr<double>();
    (*profile.prune_table)[static_cast<size_t>(std::llround(ratio * 100) - 1)][0] = {
        begin, begin + view.kv_heads()};
    SCOPED_TRACE(name);
    const auto budget = std::llround(static_cast<double>(view.tokens()) * (1 - ratio));
    const auto kept = allocate("lukv", params_of({{"rule", "kvpress"}}), scores, budget, &profile);
    const auto keep = test::select(
        "top", params_of({{"protect_first", int64_t{4}}, {"protect_last", int64_t{1}}}), scores, {},
        kept);
    test::expect_ragged(keep, expected[name + ".kept"], expected[name + ".offsets"], scores);
    const auto exact = allocate("lukv", {}, scores, budget, &profile);
    EXPECT_EQ(exact.sum().item<int64_t>(), budget * view.kv_heads());
  }
}

}  // namespace
}  // namespace kvcal
