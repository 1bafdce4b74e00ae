// SPDX-License-Identifier: Apache-2.0
// What the fuzz programs feed; fuzz_targets_test feeds it damaged inputs too, with any compiler.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <utility>

#include "../../libprofile/tokenizer/unicode.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/exchange.hpp"
#include "kvcal/profile/gate.hpp"
#include "kvcal/profile/task.hpp"
#include "kvcal/profile/tokenizer.hpp"
#include "kvcal/profile/yaml.hpp"
#include "support/byte_tokenizer.hpp"
#include "support/paths.hpp"

namespace kvcal::fuzz {

/// The readers take files; one scratch file per process and name.
inline std::filesystem::path scratch_file(const char* name, std::span<const uint8_t> bytes) {
  static const std::filesystem::path directory = test::scratch_dir();
  const auto file = directory / name;
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return file;
}

/// Loads the bytes as tokenizer.json and uses it. Anything but success or kvcal::Error escapes.
inline void tokenizer_json(std::span<const uint8_t> bytes) {
  try {
    const Tokenizer tokenizer = Tokenizer::load(scratch_file("tokenizer.json", bytes));
    const auto ids = tokenizer.encode("Hello wo\u0301rld, 123 \u4e2d\u6587 \U0001f600\r\n  <e>'s");
    tokenizer.decode(ids, false);
    tokenizer.decode(ids, true);
    if (!ids.empty() && ids[0] < tokenizer.vocab_size()) tokenizer.token_bytes(ids[0]);
  } catch (const Error&) {
    // The expected end of a damaged file.
  }
}

/// Tokenizers of every kind we know: ours, and those of model families where they are at hand.
struct KnownTokenizer {
  Tokenizer tokenizer;
  bool is_lossless;  ///< byte-level without a normalizer: decoding gives the text back
};
inline std::vector<KnownTokenizer> known_tokenizers() {
  std::vector<KnownTokenizer> known;
  known.push_back({Tokenizer::load(test::test_file("parity/model/tiny_llama")), true});
  for (const auto& [name, is_lossless] :
       {std::pair("llama3", true), std::pair("qwen", false), std::pair("mistral_v3", false)}) {
    const auto file = test::external_data(fmt::format("tokenizers/{}.tokenizer.json", name));
    if (!file.empty()) known.push_back({Tokenizer::load(file), is_lossless});
  }
  return known;
}

/// Encodes the bytes as text and decodes the ids; what is not UTF-8 is refused, nothing else is.
inline void tokenizer_text(std::span<const uint8_t> bytes) {
  static const std::vector<KnownTokenizer> known = known_tokenizers();
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const bool is_utf8 = unicode::first_invalid(text) == text.size();
  for (const auto& [tokenizer, is_lossless] : known) {
    try {
      const auto ids = tokenizer.encode(text, /*add_special_tokens=*/false);
      const auto decoded = tokenizer.decode(ids, /*skip_special_tokens=*/false);
      if (!is_utf8) throw std::logic_error("took what is not UTF-8");
      if (is_lossless && decoded != text) throw std::logic_error("decoded to " + decoded);
    } catch (const Error& error) {
      if (is_utf8 || error.kind() != Kind::input) throw;
    }
  }
}

/// Loads the bytes as a YAML map and asks for everything.
inline void yaml_map(std::span<const uint8_t> bytes) {
  try {
    const YamlMap map = YamlMap::load(scratch_file("map.yaml", bytes));
    map.params("params");
    map.optional_text("name");
    map.require_only({"name", "params"});
  } catch (const Error&) {
  }
}

/// Imports the bytes in every format into a profile of 2 layers, 4 heads, 2 KV heads; what was
/// taken has to be fit to be saved.
inline void exchange(std::span<const uint8_t> bytes) {
  const auto file = scratch_file("full_attention_heads.tsv", bytes);
  scratch_file("config.json", bytes);
  if (!bytes.empty() && bytes[0] != '{') {  // one half of a pattern is sound, so the other is read
    constexpr std::string_view kSound = R"({"sink_size": 1, "recent_size": 2})";
    scratch_file("config.json", {reinterpret_cast<const uint8_t*>(kSound.data()), kSound.size()});
  }
  for (const ExchangeInfo* format : exchange_table()) {
    Profile profile;
    profile.model = {"tiny", "c", "w", "t", 2, 4, 2, 8};
    try {
      import_file(*format, file, "", profile);
    } catch (const Error&) {
      continue;
    }
    profile.save(file.parent_path() / "imported.h5");
    profile.facts();
    export_files(*format, profile, "");
  }
}

/// Reads the bytes as a file of each benchmark and makes every sample: a task or an input error.
inline void benchmark_file(std::span<const uint8_t> bytes) {
  static const Tokenizer tokenizer = test::byte_tokenizer();
  static const ChatFormat chat;
  const auto file = scratch_file("qa_1.jsonl", bytes).string();  // a name that RULER's reader takes
  for (const char* benchmark : {"ruler", "quality", "longhealth"}) {
    try {
      const auto task = open_task(fmt::format("{}:{}", benchmark, file), {tokenizer, chat, 1024});
      for (int64_t i = 0; i < task->size(); ++i) task->sample(i);
    } catch (const Error& error) {
      if (error.kind() != Kind::input) throw;
    }
  }
}

/// Parses the bytes as a gate; what is understood can be asked whether it is run.
inline void gate(std::span<const uint8_t> bytes) {
  try {
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    require_runs(parse_gate(text), {"full", "snapkv@64"}, {"niah"});
  } catch (const Error& error) {
    if (error.kind() != Kind::config) throw;
  }
}

}  // namespace kvcal::fuzz
