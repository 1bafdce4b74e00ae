// SPDX-License-Identifier: Apache-2.0
// Ids and texts against the tokenizers library; make_cases.py wrote the expectations.
#include "kvcal/profile/tokenizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "kvcal/profile/provenance.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

std::string read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream.good()) << path;
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  std::istringstream stream(read_file(path));
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string bytes_of(const std::vector<int64_t>& ids) {
  const std::vector<int32_t> narrow(ids.begin(), ids.end());
  return {reinterpret_cast<const char*>(narrow.data()), narrow.size() * sizeof(int32_t)};
}

/// Whole text files; every string of JSON lines, by sorted key (as make_cases.py reads them).
std::vector<std::string> texts_of(const fs::path& path) {
  if (path.extension() == ".txt") return {read_file(path)};
  std::vector<std::string> texts;
  for (const std::string& line : lines_of(path)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const json record = json::parse(line);  // objects are sorted by key
    for (const auto& value : record) {
      if (value.is_string()) texts.push_back(value.get<std::string>());
    }
  }
  return texts;
}

/// One tokenizer.json that cases exist for.
class TokenizerParity : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string name = GetParam();
    const fs::path file = name == "smollm2"
                              ? test::smollm2()
                              : test::external_data("tokenizers/" + name + ".tokenizer.json");
    KVCAL_SKIP_IF_ABSENT(file, name == "smollm2" ? "the SmolLM2 model" : "third-party " + name);
    tokenizer_ = std::make_unique<Tokenizer>(Tokenizer::load(file));
  }

  static json cases(const std::string& file) {
    return json::parse(read_file(test::test_file("parity/tokenizer/" + file))).at(GetParam());
  }

  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(TokenizerParity, TortureTextsGiveTheLibrarysIdsAndTexts) {
  const auto texts = lines_of(test::test_file("parity/tokenizer/torture.txt"));
  const auto cases = lines_of(test::test_file("parity/tokenizer/torture." + GetParam() + ".jsonl"));
  ASSERT_EQ(texts.size(), cases.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto text = json::parse(texts[i]).get<std::string>();
    const json expected = json::parse(cases[i]);
    const auto ids = tokenizer_->encode(text);
    EXPECT_EQ(ids, expected.at("ids").get<std::vector<int64_t>>()) << "line " << i + 1 << texts[i];
    EXPECT_EQ(tokenizer_->decode(ids, false), expected.value("text", text)) << "line " << i + 1;
  }
}

std::vector<std::vector<int64_t>> random_sequences(int64_t size) {
  int64_t state = 99;  // the generator of make_cases.py
  std::vector<std::vector<int64_t>> sequences(200);
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (size_t k = 0; k < 1 + i % 40; ++k) {
      state = (1103515245 * state + 12345) % (int64_t{1} << 31);
      sequences[i].push_back((state >> 4) % size);
    }
  }
  return sequences;
}

TEST_P(TokenizerParity, EveryIdAndRandomIdsDecodeAsInTheLibrary) {
  const json expected = cases("decode_digests.json");
  ASSERT_EQ(tokenizer_->vocab_size(), expected.at("vocab_size").get<int64_t>());
  std::string single, random, skipping;
  for (int64_t id = 0; id < tokenizer_->vocab_size(); ++id) {
    single += tokenizer_->decode(std::vector<int64_t>{id}, false) + '\0';
  }
  for (const auto& ids : random_sequences(tokenizer_->vocab_size())) {
    random += tokenizer_->decode(ids, false) + '\0';
    skipping += tokenizer_->decode(ids, true) + '\0';
  }
  EXPECT_EQ(sha256(single), expected.at("single_sha256"));
  EXPECT_EQ(sha256(random), expected.at("random_sha256"));
  EXPECT_EQ(sha256(skipping), expected.at("random_skipping_sha256"));
}

TEST_P(TokenizerParity, ThirdPartyTextsGiveTheLibrarysIds) {
  KVCAL_SKIP_IF_ABSENT(test::external_data("haystack"), "third-party text");
  const json digests = cases("external_digests.json");
  ASSERT_GE(digests.size(), 50u);
  for (const auto& [file, expected] : digests.items()) {
    std::string all_ids, all_texts;
    size_t ids_count = 0;
    for (const std::string& text : texts_of(test::external_data(file))) {
      const auto ids = tokenizer_->encode(text);
      ids_count += ids.size();
      all_ids += bytes_of(ids);
      all_texts += tokenizer_->decode(ids, false) + '\0';
    }
    EXPECT_EQ(ids_count, expected.at("ids").get<size_t>()) << file;
    EXPECT_EQ(sha256(all_ids), expected.at("ids_sha256")) << file;
    EXPECT_EQ(sha256(all_texts), expected.at("decoded_sha256")) << file;
  }
}

TEST_P(TokenizerParity, SeveralThreadsGetTheSameIds) {
  const auto lines = lines_of(test::test_file("parity/tokenizer/torture.txt"));
  std::vector<std::vector<int64_t>> expected;
  for (const auto& line : lines) expected.push_back(tokenizer_->encode(line));
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (size_t i = 0; i < lines.size(); ++i) {
        count += tokenizer_->encode(lines[i]) == expected[i] ? 0 : 1;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

INSTANTIATE_TEST_SUITE_P(Files, TokenizerParity,
                         testing::Values("smollm2", "llama3", "qwen", "mistral_v3"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace kvcal
