// SPDX-License-Identifier: Apache-2.0
// The forward pass against Hugging Face transformers; cases and their versions:
// model/make_cases.py.
#include "kvcal/profile/model.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "../../libprofile/model/family.hpp"
#include "../../libprofile/model/rope.hpp"
#include "../../libprofile/model/safetensors.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

constexpr double kTinyTolerance = 1e-5;     // f32, 3 layers, logits of size 1 to 10
constexpr double kRopeTolerance = 1e-6;     // f32, the same angles; cosines of another library
constexpr double kSmolTolerance = 1e-3;     // f32, 30 layers, logits up to 30: other order of sums
constexpr double kMinBf16Agreement = 0.98;  // usual value: see the last test
constexpr int kPrompts = 20;

/// Stored tensors by name, i32 and f32.
class Case {
 public:
  explicit Case(const std::string& name) : file_(test_file(name)) {}

  at::Tensor operator[](const std::string& name) const {
    const auto& entry = file_.entries().at(name);
    auto tensor = at::empty(entry.shape, entry.dtype == "I32" ? at::kInt : at::kFloat);
    std::memcpy(tensor.data_ptr(), file_.bytes(entry).data(), entry.size_bytes);
    return tensor;
  }

  std::vector<int64_t> ids(const std::string& name) const {
    const auto tensor = (*this)[name].to(at::kLong);
    return {tensor.const_data_ptr<int64_t>(), tensor.const_data_ptr<int64_t>() + tensor.numel()};
  }

 private:
  static std::filesystem::path test_file(const std::string& name) {
    return test::test_file("parity/model/" + name + ".safetensors");
  }
  SafetensorsFile file_;
};

double worst_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

at::Tensor all_logits(const Model& model, const std::vector<int64_t>& ids) {
  auto cache = model.make_cache(static_cast<int64_t>(ids.size()));
  return model.forward(ids, cache, LogitsWanted::all);
}

/// Every folder of parity/model.
std::vector<std::string> tiny_models() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(test::test_file("parity/model"))) {
    if (entry.is_directory()) names.insert(entry.path().filename().string());
  }
  return {names.begin(), names.end()};
}

class TinyModel : public testing::TestWithParam<std::string> {};

TEST_P(TinyModel, HasTheLogitsOfTransformers) {
  const auto model = Model::load(test::test_file("parity/model/" + GetParam()), {.dtype = "f32"});
  const Case expected(GetParam());
  const auto logits = all_logits(model, expected.ids("ids"));
  const auto chosen = logits.index_select(0, expected["positions"].to(at::kLong));
  const double worst = worst_difference(chosen, expected["logits"]);
  RecordProperty("worst_difference", fmt::format("{:.1e}", worst));
  EXPECT_LT(worst, kTinyTolerance);
}

INSTANTIATE_TEST_SUITE_P(Parity, TinyModel, testing::ValuesIn(tiny_models()),
                         [](const auto& tested) { return tested.param; });

TEST(TinyModels, AreOfEveryFamily) {
  std::set<std::string_view> families;
  for (const FamilyInfo* family : family_table()) families.insert(family->architecture);
  for (const auto& name : tiny_models()) {
    families.erase(read_model_config(test::test_file("parity/model/" + name)).architecture);
  }
  EXPECT_TRUE(families.empty()) << *families.begin() << " has no case in parity/model";
}

TEST(TinyModels, BeyondTheOriginalLengthTheScalingOfRopeTells) {
  const auto folder = test::test_file("parity/model/tiny_llama31");
  const auto plain = test::scratch_dir();
  auto config = nlohmann::json::parse(std::ifstream(folder / "config.json"));
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 10000.0}};
  std::ofstream(plain / "config.json") << config;
  std::filesystem::copy_file(folder / "model.safetensors", plain / "model.safetensors");
  const Case expected("tiny_llama31");
  const auto positions = expected["positions"].to(at::kLong);
  const auto logits = all_logits(Model::load(plain, {.dtype = "f32"}), expected.ids("ids"));
  const auto wrong = (logits.index_select(0, positions) - expected["logits"]).abs().amax(1);
  const auto is_beyond = positions >= 64;  // original_max_position_embeddings
  EXPECT_GT(is_beyond.sum().item<int64_t>(), 20);
  EXPECT_GT(wrong.masked_select(is_beyond).min().item<double>(), 1000 * kTinyTolerance);
}

TEST(Llama31Rope, HasTheAnglesOfTransformersUpTo128k) {
  ModelSpec spec;
  spec.config.head_dim = 128;
  spec.config.rope_theta = 500000;
  spec.rope_scaling = {8, 1, 4, 8192};
  const Case expected("llama31_rope");
  const auto table = make_rope_table(rope_frequencies(spec), expected["positions"].to(at::kFloat),
                                     at::TensorOptions(at::kFloat));
  EXPECT_LT(worst_difference(table.cos, expected["cos"]), kRopeTolerance);
  EXPECT_LT(worst_difference(table.sin, expected["sin"]), kRopeTolerance);
}

class SmolLm2 : public testing::Test {
 protected:
  void SetUp() override {
    KVCAL_SKIP_IF_ABSENT(test::smollm2(), "models/SmolLM2-135M-Instruct");
    cases = std::make_unique<Case>("smollm2");
  }

  static Model load(const std::string& dtype) {
    return Model::load(test::smollm2(), {.dtype = dtype});
  }
  std::vector<int64_t> ids(int prompt, const char* name) const {
    return cases->ids(fmt::format("{:02}.{}", prompt, name));
  }
  at::Tensor tensor(int prompt, const char* name) const {
    return (*cases)[fmt::format("{:02}.{}", prompt, name)];
  }
  /// Logits at the stored positions, the last of which is the prompt's last; and of the tokens
  /// after each stored next token but the last. Fed piece by piece, since the output projection is
  /// dear.
  struct Forced {
    at::Tensor at_positions;  // [positions, vocab]
    at::Tensor next;          // [64] chosen tokens
  };
  Forced force(const Model& model, int prompt) const {
    const auto prompt_ids = ids(prompt, "ids");
    auto next_ids = ids(prompt, "next");
    auto cache = model.make_cache(static_cast<int64_t>(prompt_ids.size() + next_ids.size()));
    std::vector<at::Tensor> rows;
    for (int64_t position : ids(prompt, "positions")) {
      const auto begin = static_cast<size_t>(cache.next_position());
      const auto piece =
          std::span(prompt_ids).subspan(begin, static_cast<size_t>(position) + 1 - begin);
      rows.push_back(model.forward(piece, cache, LogitsWanted::last));
    }
    next_ids.pop_back();
    const auto after = model.forward(next_ids, cache, LogitsWanted::all);
    return {at::cat(rows), at::cat({rows.back(), after}).argmax(1)};
  }

  std::unique_ptr<Case> cases;
};

TEST_F(SmolLm2, HasTheLogitsAndGreedyContinuationsOfTransformers) {
  const auto model = load("f32");
  double worst = 0;
  for (int p = 0; p < kPrompts; ++p) {
    const auto forced = force(model, p);
    const auto top = forced.at_positions.gather(1, tensor(p, "top_ids").to(at::kLong));
    const auto strided = forced.at_positions.slice(1, 0, std::nullopt, 512);
    worst = std::max({worst, worst_difference(top, tensor(p, "top_logits")),
                      worst_difference(strided, tensor(p, "strided_logits"))});
    EXPECT_LT(worst, kSmolTolerance) << "prompt " << p;
    // Fed the stored tokens, choosing each next one again is what greedy decoding would have done.
    EXPECT_TRUE(forced.next.equal(tensor(p, "next").to(at::kLong))) << "prompt " << p;
  }
  RecordProperty("worst_difference", fmt::format("{:.1e}", worst));
}

TEST_F(SmolLm2, DecodesTokenByTokenAsTransformersDoes) {
  const auto model = load("f32");
  for (int p : {2, 9, 12}) {
    const auto expected = ids(p, "next");
    auto feed = ids(p, "ids");
    auto cache = model.make_cache(static_cast<int64_t>(feed.size() + expected.size()));
    std::vector<int64_t> decoded;
    while (decoded.size() < expected.size()) {
      const auto next = model.forward(feed, cache, LogitsWanted::last).argmax(1).item<int64_t>();
      decoded.push_back(next);
      feed = {next};
    }
    EXPECT_EQ(decoded, expected) << "prompt " << p;
  }
}

TEST_F(SmolLm2, InBf16NearlyAlwaysChoosesTheTokenOfF32) {
  const auto exact = load("f32");
  const auto rounded = load("bf16");
  int64_t same = 0;
  int64_t positions = 0;
  for (int p = 0; p < kPrompts; ++p) {
    const auto chosen = force(exact, p).next;
    same += chosen.eq(force(rounded, p).next).sum().item<int64_t>();
    positions += chosen.numel();
  }
  const double agreement = static_cast<double>(same) / static_cast<double>(positions);
  RecordProperty("agreement", fmt::format("{:.4f}", agreement));
  EXPECT_GT(agreement, kMinBf16Agreement) << same << " of " << positions;
}

}  // namespace
}  // namespace kvcal
