// SPDX-License-Identifier: Apache-2.0
// Retrieval-head scores against a plain transformers loop that returns all attention; the script
// that wrote the cases is head_scores/make_cases.py.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "kvcal/profile/identify.hpp"
#include "support/paths.hpp"
#include "support/safetensors_case.hpp"

namespace kvcal {
namespace {

constexpr double kScoreTolerance = 2e-3;  // scores go up to about 10; sums of softmax rows in f32

at::Tensor as_tensor(const std::vector<float>& scores, const ModelConfig& config) {
  return at::tensor(scores).reshape({config.layers, config.heads});
}

double worst(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(HeadScoreParity, SmolLm2HeadsScoreAsInAPlainTransformersLoop) {
  const auto directory = test::smollm2();
  KVCAL_SKIP_IF_ABSENT(directory, "SmolLM2");
  const auto config = read_model_config(directory);
  const auto model = Model::load(directory, {.dtype = "f32"});
  const auto tokenizer = Tokenizer::load(directory);
  const auto chat = ChatFormat::for_model(directory, config);
  std::ifstream stream(test::test_file("parity/head_scores/cases.json"));
  const auto cases = nlohmann::json::parse(stream);
  const test::SafetensorsCase expected(test::test_file("parity/head_scores/scores.safetensors"));
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto& wanted = cases[i];
    SCOPED_TRACE(wanted["needle"].get<std::string>());
    for (const bool counts_repeats : {false, true}) {
      if (counts_repeats && i > 0) continue;  // one case shows the rule
      auto protocol = IdentifyProtocol::named("sound");
      protocol.counts_repeats = counts_repeats;
      const HeadIdentifier identifier(model, tokenizer, chat, protocol);
      Needle needle;
      needle.answer = wanted["answer"];
      const auto result = identifier.run(wanted["prompt"], needle);
      EXPECT_EQ(result.prompt_tokens, wanted["prompt_tokens"].get<int64_t>());
      EXPECT_EQ(result.reply, wanted["reply"].get<std::string>());
      const auto semantic =
          expected[fmt::format("{}.semantic{}", i, counts_repeats ? "_repeats" : "")];
      EXPECT_LT(worst(as_tensor(result.scores.at("semantic"), config), semantic), kScoreTolerance);
      EXPECT_LT(worst(as_tensor(result.scores.at("traditional"), config),
                      expected[fmt::format("{}.traditional", i)]),
                kScoreTolerance);
    }
  }
}

}  // namespace
}  // namespace kvcal
