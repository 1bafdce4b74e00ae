// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/tokenizer.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "../../libprofile/tokenizer/regex.hpp"
#include "../../libprofile/tokenizer/unicode.hpp"
#include "kvcal/compress/error.hpp"
#include "support/paths.hpp"

namespace kvcal {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;
using Ids = std::vector<int64_t>;

/// Byte level: a..e, space, and the merges ab, abc, cd (in this order).
json small_file() {
  return json::parse(R"({
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4, "Ġ": 5, "ab": 6,
              "abc": 7, "cd": 8, "Ã": 9, "©": 10}, "merges": ["a b", ["ab", "c"], "c d"]},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "decoder": {"type": "ByteLevel"},
    "added_tokens": [{"id": 11, "content": "<e>", "special": true, "normalized": false}]})");
}

class TokenizerFile : public testing::Test {
 protected:
  Tokenizer load(const json& content) const { return load_text(content.dump()); }
  Tokenizer load_text(const std::string& text) const {
    std::ofstream(file_, std::ios::binary) << text;
    return Tokenizer::load(file_);
  }
  std::string error_of(const json& content) const { return text_error(content.dump()); }
  std::string text_error(const std::string& text) const {
    try {
      load_text(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::input);
      std::string message = error.what();
      if (message.starts_with(file_.string())) message.replace(0, file_.string().size(), "t.json");
      return message;
    }
    return "no error";
  }

  fs::path file_ = test::scratch_dir() / "tokenizer.json";
};

TEST_F(TokenizerFile, MergesHappenInRankOrder) {
  const Tokenizer tokenizer = load(small_file());
  EXPECT_EQ(tokenizer.encode("abcd"), (Ids{7, 3}));  // abc before cd
  EXPECT_EQ(tokenizer.encode("bcd"), (Ids{1, 8}));
  EXPECT_EQ(tokenizer.encode("abab c"), (Ids{6, 6, 5, 2}));
  EXPECT_EQ(tokenizer.encode("é"), (Ids{9, 10}));
  EXPECT_EQ(tokenizer.encode(""), Ids{});
}

TEST_F(TokenizerFile, LongPiecesMergeAsShortOnesDo) {
  const Tokenizer tokenizer = load(small_file());
  std::string text;
  Ids expected;
  for (int i = 0; i < 500; ++i) {
    text += "abcd";
    expected.insert(expected.end(), {7, 3});
  }
  EXPECT_EQ(tokenizer.encode(text), expected);
}

TEST_F(TokenizerFile, IgnoreMergesTakesAWholePieceFromTheVocabulary) {
  json file = small_file();
  file["model"]["vocab"]["bcd"] = 12;
  EXPECT_EQ(load(file).encode("bcd"), (Ids{1, 8}));
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(load(file).encode("bcd"), (Ids{12}));
}

TEST_F(TokenizerFile, AddedTokensAreFoundInTheText) {
  const Tokenizer tokenizer = load(small_file());
  EXPECT_EQ(tokenizer.encode("ab<e>c<e"), (Ids{6, 11, 2, 4}));
  EXPECT_EQ(tokenizer.decode(Ids{6, 11, 2}), "abc");
  EXPECT_EQ(tokenizer.decode(Ids{6, 11, 2}, false), "ab<e>c");
  EXPECT_EQ(tokenizer.token_id("<e>"), 11);
  EXPECT_EQ(tokenizer.token_id("Ġ"), 5);
  EXPECT_EQ(tokenizer.token_id("x"), std::nullopt);
  EXPECT_EQ(tokenizer.vocab_size(), 12);
}

TEST_F(TokenizerFile, AddedTokensStripSpacesAndStandAloneAsTheyAreTold) {
  json file = small_file();
  file["added_tokens"] = json::parse(
      R"([{"id": 11, "content": "ee", "single_word": true, "normalized": false},
          {"id": 12, "content": "<m>", "lstrip": true, "rstrip": true, "normalized": false}])");
  const Tokenizer tokenizer = load(file);
  EXPECT_EQ(tokenizer.encode("a ee b"), (Ids{0, 5, 11, 5, 1}));
  EXPECT_EQ(tokenizer.encode("aee"), (Ids{0, 4, 4}));
  EXPECT_EQ(tokenizer.encode("a  <m> b"), (Ids{0, 12, 1}));
}

TEST_F(TokenizerFile, TheTemplateIsAppliedOnlyWhenAsked) {
  json file = small_file();
  file["post_processor"] = json::parse(
      R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<e>", "type_id": 0}},
          {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
          "special_tokens": {"<e>": {"id": "<e>", "ids": [11], "tokens": ["<e>"]}}})");
  EXPECT_EQ(load(file).encode("ab"), (Ids{11, 6}));
  EXPECT_EQ(load(file).encode("ab", false), (Ids{6}));
}

TEST_F(TokenizerFile, BytesThatAreNoTextDecodeToReplacementCharacters) {
  const Tokenizer tokenizer = load(small_file());
  EXPECT_EQ(tokenizer.decode(Ids{9}), "\xEF\xBF\xBD");
  EXPECT_EQ(tokenizer.decode(Ids{9, 10}), "é");
  EXPECT_EQ(tokenizer.token_bytes(9), "\xC3");
  EXPECT_EQ(tokenizer.token_bytes(5), " ");
  EXPECT_THROW(tokenizer.token_bytes(12), Error);
  EXPECT_THROW(tokenizer.token_bytes(-1), Error);
  EXPECT_EQ(tokenizer.decode(Ids{-1, 0, 99}), "a");  // ids without a token are passed over
}

TEST_F(TokenizerFile, TextThatIsNotUtf8IsRefused) {
  try {
    load(small_file()).encode("ab\xC3(");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_STREQ(error.what(), "text is not UTF-8 at byte 2 of 4");
  }
}

TEST_F(TokenizerFile, ByteFallbackAndMetaspaceWorkTogether) {
  json vocabulary = {{"<unk>", 0}, {"▁", 257}, {"a", 258}, {"▁a", 259}};
  for (int byte = 0; byte < 256; ++byte) vocabulary[fmt::format("<0x{:02X}>", byte)] = byte + 1;
  json file = {{"model",
                {{"type", "BPE"},
                 {"vocab", vocabulary},
                 {"merges", {"▁ a"}},
                 {"unk_token", "<unk>"},
                 {"byte_fallback", true}}},
               {"pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "▁"}}},
               {"decoder", json::parse(R"({"type": "Sequence", "decoders": [
                   {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                   {"type": "ByteFallback"}, {"type": "Fuse"},
                   {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})")}};
  const Tokenizer tokenizer = load(file);
  const Ids ids = tokenizer.encode("a aé");
  EXPECT_EQ(ids, (Ids{259, 259, 0xC3 + 1, 0xA9 + 1}));
  EXPECT_EQ(tokenizer.decode(ids), "a aé");
  EXPECT_EQ(tokenizer.token_bytes(0xC3 + 1), "\xC3");
  EXPECT_EQ(tokenizer.token_bytes(259), " a");
}

TEST_F(TokenizerFile, PartsThatAreNotSupportedAreNamedWithTheirPlace) {
  json file = small_file();
  file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {{{"type", "Bert"}}}}};
  EXPECT_EQ(error_of(file),
            "t.json: pre_tokenizer.pretokenizers[0]: pre-tokenizer 'Bert' is not supported "
            "(supported: Split, Digits, ByteLevel, Metaspace, Sequence)");
  file = small_file();
  file["normalizer"] = {{"type", "Lowercase"}};
  EXPECT_EQ(error_of(file),
            "t.json: normalizer: normalizer 'Lowercase' is not supported (supported: NFC, Prepend, "
            "Replace, Sequence)");
  file = small_file();
  file["model"]["type"] = "Unigram";
  EXPECT_EQ(error_of(file), "t.json: model: model 'Unigram' is not supported (supported: BPE)");
  file = small_file();
  file["decoder"] = {{"type", "WordPiece"}};
  EXPECT_EQ(error_of(file).substr(0, 52), "t.json: decoder: decoder 'WordPiece' is not supporte");
  file = small_file();
  file["post_processor"] = {{"type", "BertProcessing"}};
  EXPECT_EQ(error_of(file).substr(0, 55),
            "t.json: post_processor: post-processor 'BertProcessing'");
  file = small_file();
  file["model"]["end_of_word_suffix"] = "</w>";
  EXPECT_EQ(error_of(file), "t.json: model.end_of_word_suffix is not supported, need null");
}

TEST_F(TokenizerFile, DamagedFilesAreErrorsWithTheirPlace) {
  EXPECT_EQ(text_error("{\"model\": ").substr(0, 17), "t.json: not JSON:");
  EXPECT_EQ(text_error("[]"), "t.json = [], need an object");
  EXPECT_EQ(text_error("{}"), "t.json: the key 'model' is missing");
  json file = small_file();
  file["model"]["merges"].push_back("a x");
  EXPECT_EQ(error_of(file), "t.json: model.merges[3]: 'x' is not in the vocabulary");
  file = small_file();
  file["model"]["merges"][0] = "a b c";
  EXPECT_EQ(error_of(file),
            "t.json: model.merges[0] is no pair of tokens, need \"a b\" or [\"a\", \"b\"]");
  file = small_file();
  file["model"]["vocab"]["a"] = -1;
  EXPECT_EQ(error_of(file), "t.json: model.vocab['a'] = -1, need an id in 0 .. 16777215");
  file["model"]["vocab"]["a"] = 1;
  EXPECT_EQ(error_of(file), "t.json: model.vocab: id 1 is given to two tokens, 'b' is one");
  file = small_file();
  file["added_tokens"][0]["id"] = 3;
  EXPECT_EQ(error_of(file), "t.json: added token '<e>' has id 3, which belongs to 'd'");
  file = small_file();
  file["pre_tokenizer"] = json::parse(
      R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated", "invert": false})");
  EXPECT_EQ(error_of(file).substr(0, 64),
            "t.json: pre_tokenizer.pattern: the pattern (a is not a regular e");
  try {
    Tokenizer::load(file_.parent_path() / "none");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
  }
}

std::vector<std::string> matches(const std::string& pattern, const std::string& text) {
  std::vector<Span> spans;
  Regex::compile(pattern, "here").find_all(text, spans);
  std::vector<std::string> found;
  for (const Span& span : spans) found.push_back(text.substr(span.begin, span.end - span.begin));
  return found;
}

/// A model directory with the small committed vocabulary and a tokenizer_config.json of its own.
fs::path directory_with(const std::string& tokenizer_config) {
  const fs::path directory = test::scratch_dir();
  fs::copy(test::test_file("parity/model/tiny_llama/tokenizer.json"), directory);
  std::ofstream(directory / "tokenizer_config.json") << tokenizer_config;
  return directory;
}

TEST(TokenizerConfig, NamesEosAsATextOrAsAnAddedToken) {
  const auto eos = [](const std::string& config) {
    return Tokenizer::load(directory_with(config)).eos_id();
  };
  EXPECT_EQ(eos(R"({"eos_token": "<|im_end|>"})"), 2);
  EXPECT_EQ(eos(R"({"eos_token": {"content": "<|endoftext|>", "lstrip": false}})"), 0);
  EXPECT_EQ(eos("{}"), std::nullopt);
  try {
    eos(R"({"eos_token": 7})");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::input);
    EXPECT_NE(std::string(error.what()).find("tokenizer_config.json: eos_token"), std::string::npos)
        << error.what();
  }
}

TEST(TokenizerConfig, SpacesBeforePunctuationGoOnlyWhereItAsksForThat) {
  const std::string text = "Wait , he did n't , it 's \" x ' y \" .";
  const Tokenizer kept = Tokenizer::load(directory_with("{}"));
  const Tokenizer clean =
      Tokenizer::load(directory_with(R"({"clean_up_tokenization_spaces": true})"));
  const auto ids = clean.encode(text);
  EXPECT_EQ(kept.decode_text(ids), text);
  EXPECT_EQ(clean.decode(ids), text);
  EXPECT_EQ(clean.decode_text(ids), "Wait, he didn't, it's \" x'y \".");
}

using Texts = std::vector<std::string>;

TEST(TokenizerRegex, ClassesAreThoseOfOniguruma) {
  EXPECT_EQ(matches(R"(\s+)", "a \u180e\u2003b"), (Texts{" ", "\u2003"}));  // U+180E is no space
  EXPECT_EQ(matches(R"([^\s\p{L}]+)", "a1\u180e b"), (Texts{"1\u180e"}));
  EXPECT_EQ(matches(R"(\p{N}+)", "1\U00010d40x"), (Texts{"1\U00010d40"}));  // Unicode 16
  EXPECT_EQ(matches(R"(x*)", "axb"), (Texts{"", "x", ""}));
  EXPECT_EQ(matches(R"(\s+(?!\S)|\s+)", "a   b  "), (Texts{"  ", " ", "  "}));
}

TEST(TokenizerRegex, ConstructsThatDifferAreRefused) {
  for (const char* pattern :
       {R"(\w+)", R"([a[b]])", R"([a&&b])", R"(a{1,3}+)", R"(\h)", "(?m:.)", "(*UTF)", "\\"}) {
    EXPECT_THROW(Regex::compile(pattern, "here"), Error) << pattern;
  }
}

TEST(TokenizerUnicode, EachMaximalInvalidPartIsOneReplacement) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(unicode::replace_invalid("a\xE4\xB8z"), "a" + mark + "z");
  EXPECT_EQ(unicode::replace_invalid("\xE4\xB8"), mark);
  EXPECT_EQ(unicode::replace_invalid("\xED\xA0\x80"), mark + mark + mark);  // a surrogate
  EXPECT_EQ(unicode::replace_invalid("\xF0\x9F\x98\xC3\xA9"), mark + "é");
  EXPECT_EQ(unicode::replace_invalid("\xC0\xAF\xFF"), mark + mark + mark);
  EXPECT_EQ(unicode::replace_invalid("😀"), "😀");
}

}  // namespace
}  // namespace kvcal
