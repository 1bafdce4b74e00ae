// SPDX-License-Identifier: Apache-2.0
// The full cache of the demo model still answers as it did: predictions, scores and likelihoods of
// a few needle prompts are derived anew and compared with those stored in smollm2.json.
// KVCAL_UPDATE_GOLDEN=1 rewrites the file; the diff is reviewed: every compressed number of the
// project is judged beside this cache.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kvcal/profile/baseline.hpp"
#include "kvcal/profile/engine.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDtypes[] = {"f32", "bf16"};

Json derive(const std::filesystem::path& directory, const std::string& dtype) {
  const Model model = Model::load(directory, {.dtype = dtype});
  const Tokenizer tokenizer = Tokenizer::load(directory);
  const ChatFormat chat = ChatFormat::for_model(directory, model.config());
  const TaskContext context{tokenizer, chat, model.config().max_tokens};
  const auto task = open_task("niah", context,
                              {{"lengths", {std::vector<double>{500, 900}, "here"}},
                               {"depths", {std::vector<double>{0.2, 0.8}, "here"}},
                               {"needles_per_cell", {int64_t{1}, "here"}}});
  const Method full = load_method("full");
  const std::vector<Variant> variants{{&full, nullptr, Visibility::aware}};
  Engine engine(model, tokenizer, chat, {}, {});
  Json samples = Json::array();
  for (int64_t i = 0; i < task->size(); ++i) {
    const auto record = engine.run("niah", task->sample(i), variants).at(0);
    samples.push_back({{"sample", record.sample},
                       {"prompt_sha256", record.prompt_sha256},
                       {"prediction", record.prediction},
                       {"score", record.score},
                       {"answer_nll", record.answer_nll}});
  }
  return samples;
}

/// What the drift is measured on.
Results results_of(const Json& samples) {
  Results results;
  for (const auto& sample : samples) {
    SampleRecord record;
    record.task = "niah", record.method = record.budget = "full";
    record.sample = sample["sample"], record.score = sample["score"];
    record.answer_nll = sample["answer_nll"];
    results.records.push_back(record);
  }
  return results;
}

void expect_same(const Json& found, const Json& stored, const std::string& dtype) {
  ASSERT_EQ(found.size(), stored.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string where = found[i]["sample"].get<std::string>() + " in " + dtype;
    ASSERT_EQ(found[i]["prompt_sha256"], stored[i]["prompt_sha256"])
        << where << ": the prompt is another one; what made it changed";
    // In bf16 another processor may round an answer's last words over.
    if (dtype == "f32") {
      EXPECT_EQ(found[i]["prediction"], stored[i]["prediction"]) << where;
    }
  }
  // The rule that kv-eval --baseline holds a run's full cache to.
  const auto drift = compare_with_baseline(results_of(found), results_of(stored), 0).drift;
  EXPECT_EQ(drift.n, static_cast<int64_t>(found.size()));
  EXPECT_FALSE(drift.is_too_far()) << dtype << ": scores differ by " << drift.score << ", NLL by "
                                   << drift.answer_nll << " on average";
}

TEST(FullCache, TheDemoModelAnswersAsStored) {
  const auto directory = test::smollm2();
  KVCAL_SKIP_IF_ABSENT(directory, "SmolLM2-135M-Instruct");
  const auto file = test::test_file("parity/full_cache/smollm2.json");
  Json stored;
  if (std::getenv("KVCAL_UPDATE_GOLDEN") != nullptr) {
    for (const char* dtype : kDtypes) stored[dtype] = derive(directory, dtype);
    std::ofstream(file) << stored.dump(1) << "\n";
  }
  std::ifstream(file) >> stored;
  for (const char* dtype : kDtypes) {
    expect_same(derive(directory, dtype), stored.at(dtype), dtype);
  }
}

}  // namespace
}  // namespace kvcal
