// SPDX-License-Identifier: Apache-2.0
#include "support/byte_tokenizer.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.hpp"

namespace kvcal::test {
namespace {

using nlohmann::json;

/// GPT-2's printable stand-in for a byte.
std::string stand_in(int byte) {
  const auto is_printable = [](int b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  };
  int code = byte;
  if (!is_printable(byte)) {
    code = 256;
    for (int b = 0; b < byte; ++b) code += !is_printable(b);
  }
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

json bos_template() {
  const json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const auto sequence = [](const char* id, int type) {
    return json{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  return {{"type", "TemplateProcessing"},
          {"single", {bos, sequence("A", 0)}},
          {"pair", {bos, sequence("A", 0), sequence("B", 1)}},
          {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {256}}, {"tokens", {"<s>"}}}}}}};
}

}  // namespace

Tokenizer byte_tokenizer(bool has_bos) {
  json vocab = json::object();
  for (int byte = 0; byte < 256; ++byte) vocab[stand_in(byte)] = byte;
  vocab["<s>"] = 256;
  const json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  const json bos = {{"id", 256},       {"content", "<s>"}, {"single_word", false},
                    {"lstrip", false}, {"rstrip", false},  {"normalized", false},
                    {"special", true}};
  const json model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", false},
                      {"vocab", vocab},
                      {"merges", json::array()}};
  const json all = {{"version", "1.0"},
                    {"truncation", nullptr},
                    {"padding", nullptr},
                    {"added_tokens", json::array({bos})},
                    {"normalizer", nullptr},
                    {"pre_tokenizer", byte_level},
                    {"post_processor", has_bos ? bos_template() : json(nullptr)},
                    {"decoder", byte_level},
                    {"model", model}};
  const auto file = scratch_dir() / "tokenizer.json";
  std::ofstream(file) << all.dump();
  return Tokenizer::load(file);
}

}  // namespace kvcal::test
