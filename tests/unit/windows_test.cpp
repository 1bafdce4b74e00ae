// SPDX-License-Identifier: Apache-2.0
// Documents that are compacted window by window, on a tiny random model of 1024 positions.
#include "engine/windows.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "kvcal/compress/error.hpp"
#include "model/rope.hpp"
#include "support/error_text.hpp"
#include "support/paths.hpp"
#include "support/tiny_model_fixture.hpp"

namespace kvcal {
namespace {

TEST(PlanWindows, AreOfEqualSizeAndCoverTheDocument) {
  const auto plan = plan_windows(103, 3, 40);  // 100 tokens of text, room for 37 in a window
  ASSERT_EQ(plan.size(), 3u);
  EXPECT_EQ(plan[0].first, 0);
  EXPECT_EQ(plan[0].count, 36);  // with the lead
  EXPECT_EQ(plan[0].dropped, 0);
  EXPECT_EQ(plan[1].first, 36);
  EXPECT_EQ(plan[1].count, 33);
  EXPECT_EQ(plan[1].dropped, 3);
  EXPECT_EQ(plan[2].first + plan[2].count, 103);
  EXPECT_EQ(plan_windows(40, 3, 40).size(), 1u);
  EXPECT_EQ(test::error_text(Kind::config, [] { plan_windows(50, 12, 12); }),
            "window_tokens = 12, need more than the 12 that the chat format puts first");
}

class WindowsTest : public test::TinyModelFixture {
 protected:
  const Method full_ = load_method("full");
  const ProfileFacts facts_;

  static Method windowed(const std::string& name, int64_t tokens, WindowPositions positions) {
    Method method = load_method(name);
    method.window_tokens = tokens;
    method.window_positions = positions;
    return method;
  }

  /// The most that caches held while a document was compacted to 240 entries.
  int64_t peak_bytes(const std::string& name, int64_t tokens) const {
    const auto method = windowed(name, 100, WindowPositions::window);
    const auto budget = Budget::parse("240");
    const Variant variant{&method, &budget, Visibility::multi};
    const auto document = ids(tokens);
    WindowedCompressor windows(reader_, facts_, document, /*is_chat=*/false, 0);
    windows.compress_all(std::span(&variant, 1));
    const auto made = windows.compressed(variant, 0);
    int64_t kept = 0;
    for (const auto& layer : made.kept) kept += layer.total();
    EXPECT_EQ(kept, 240 * config_.layers * config_.kv_heads);
    return windows.peak_bytes();
  }

  Sample sample(int64_t repeats) const {
    Sample sample;
    sample.id = "a";
    sample.context = boats(repeats);
    sample.question = "Which boat left?";
    sample.references = {"boat"};
    sample.metric = "qa_f1_score";
    sample.max_new_tokens = 6;
    sample.chat = false;
    return sample;
  }

  Engine engine() const { return {model_, tokenizer_, chat_, {}, {.seed = 7}}; }
};

TEST_F(WindowsTest, TurnedKeysAreThoseOfTheLaterPosition) {
  const auto& frequencies = model_.rope_frequencies();
  const auto keys = at::randn({1, 3, config_.head_dim});
  const auto at_position = [&](double position) {
    auto heads = keys.clone();
    apply_rope_(heads, make_rope_table(frequencies, at::full({1}, position), heads.options()));
    return heads.squeeze(0);
  };
  EXPECT_TRUE(at::allclose(turned(at_position(5), 40, frequencies), at_position(45), 1e-4, 1e-5));
  EXPECT_FALSE(at::allclose(turned(at_position(5), 41, frequencies), at_position(45), 1e-4, 1e-3));
}

TEST_F(WindowsTest, OneWindowIsNoWindow) {
  for (const std::string name : {"am_global", "am_highest_attention", "snapkv", "kvzip"}) {
    SCOPED_TRACE(name);
    const auto whole = load_method(name);
    const auto budget = Budget::parse("16");
    for (const auto positions : {WindowPositions::document, WindowPositions::window}) {
      auto method = windowed(name, 1000, positions);
      method.name += "_windowed";
      const std::vector<Variant> variants{{&full_, nullptr, Visibility::multi},
                                          {&whole, &budget, Visibility::multi},
                                          {&method, &budget, Visibility::multi}};
      const auto records = engine().run("task", sample(12), variants);
      EXPECT_EQ(records[2].kept_bytes, records[1].kept_bytes);
      EXPECT_EQ(records[2].prediction, records[1].prediction);
      EXPECT_EQ(records[2].kl, records[1].kl);
    }
  }
}

TEST_F(WindowsTest, KeysAreWhereTheirTokensStandInTheDocument) {
  const auto document = ids(350);
  const auto whole = prefill(model_, document, Needs{}).cache.sealed(0);
  const auto turns = ChatFormat::load(test::source_dir() / "configs/models/smollm2.yaml");
  const auto budget = Budget::parse("350");
  for (const bool is_chat : {false, true}) {  // with and without a lead that is fed to each window
    const PromptReader reader{model_, tokenizer_, is_chat ? turns : chat_};
    for (const auto positions : {WindowPositions::document, WindowPositions::window}) {
      const auto method = windowed("am_global", 150, positions);
      const Variant variant{&method, &budget, Visibility::multi};
      WindowedCompressor windows(reader, facts_, document, is_chat, 0);
      windows.compress_all(std::span(&variant, 1));
      const auto made = windows.compressed(variant, 0);
      EXPECT_TRUE(made.is_uncompressed);
      // A first layer's keys depend on token and position alone.
      const auto& keys = made.cache.layer(0).prefix.keys;
      const bool is_document = positions == WindowPositions::document;
      EXPECT_EQ(at::allclose(keys, whole.layer(0).prefix.keys, 1e-4, 1e-5), is_document);
      const int64_t next = made.cache.next_position();
      EXPECT_TRUE(is_document ? next == 350 : next <= 150) << next;
    }
  }
}

TEST_F(WindowsTest, MemoryStaysFlatWithTheLengthOfTheDocument) {
  for (const std::string name : {"am_global", "kvzip"}) {
    SCOPED_TRACE(name);
    const int64_t short_one = peak_bytes(name, 500), long_one = peak_bytes(name, 2500);
    EXPECT_EQ(long_one, short_one);  // a window of 100 and the 240
    EXPECT_LT(long_one, 400 * config_.layers * config_.kv_heads * config_.entry_bytes(4));
  }
}

TEST_F(WindowsTest, ADocumentLongerThanTheModelIsAnsweredSideBySideOnly) {
  auto method = windowed("am_global", 300, WindowPositions::window);
  const auto budget = Budget::parse("10%");
  const std::vector<Variant> variants{{&method, &budget, Visibility::multi}};
  const auto records = engine().run("task", sample(100), variants);
  EXPECT_GT(records[0].prompt_tokens, 1024);
  EXPECT_EQ(records[0].kept_entries, records[0].budget_tokens * config_.layers * config_.kv_heads);
  EXPECT_FALSE(records[0].uncompressed);
  method.window_positions = WindowPositions::document;
  const auto text =
      test::error_text(Kind::input, [&] { engine().run("task", sample(100), variants); });
  EXPECT_NE(text.find("the model takes 1024 (methods with window_positions: window take any"),
            std::string::npos)
      << text;
}

TEST_F(WindowsTest, AQuestionCannotBeSeen) {
  const auto method = windowed("am_global", 300, WindowPositions::window);
  const auto budget = Budget::parse("10%");
  const std::vector<Variant> variants{{&method, &budget, Visibility::aware}};
  EXPECT_EQ(
      test::error_text(Kind::config, [&] { engine().run("task", sample(10), variants); }),
      "method am_global: what it makes of a document is made before a question is asked: need "
      "--visibility agnostic or multi");
}

TEST_F(WindowsTest, AMethodIsChunkedOrWindowed) {
  const auto file = test::scratch_dir() / "both.yaml";
  const auto written = [&](const std::string& lines) {
    std::ofstream(file) << "include: "
                        << (test::source_dir() / "configs/methods/am_global.yaml").string()
                        << "\nname: both\n"
                        << lines;
    return test::error_text(Kind::config, [&] { load_method(file.string()); });
  };
  EXPECT_NE(written("chunk_tokens: 10\nwindow_tokens: 20\n").find("need one of them"),
            std::string::npos);
  EXPECT_NE(written("window_tokens: 20\nwindow_positions: side\n")
                .find("window_positions = side, need document or window"),
            std::string::npos);
}

}  // namespace
}  // namespace kvcal
