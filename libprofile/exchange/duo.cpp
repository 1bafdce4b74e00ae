// SPDX-License-Identifier: Apache-2.0
/// DuoAttention's pattern: which KV heads retrieve, and what the others keep.
///
/// Source   arXiv:2410.10819, the authors' folders of patterns; read as in kvpress 0.5.5
///          `presses/duo_attention_press.py`.
/// Form     a folder with `full_attention_heads.tsv` (a row per layer, a column per KV head, tabs;
///          1 = retrieval head) and `config.json` (`sink_size`, `recent_size`; other keys say how
///          the pattern was trained and are left alone). Or the path of the TSV, the other beside
///          it.
/// Stores   numbers outside 0 .. 1 at the nearer end, as the authors' loader does, and says so.
/// Checked  unit/exchange_test.cpp, cli/kv_eval_runs_imported_patterns_and_tables.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include "exchange/reading/by_head.hpp"
#include "kvcal/profile/exchange.hpp"
#include "tokenizer/json_part.hpp"

namespace kvcal {
namespace {

constexpr const char* kTable = "full_attention_heads.tsv";
constexpr const char* kConfig = "config.json";

/// Numbers of one line.
std::vector<double> parse_row(std::string_view line, const std::string& where) {
  std::vector<double> row;
  while (true) {
    const size_t tab = std::min(line.find('\t'), line.size());
    const std::string_view cell = line.substr(0, tab);
    double value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    require(error == std::errc() && end == cell.data() + cell.size() && std::isfinite(value),
            Kind::input, "{}: column {} is '{}', need a finite number", where, row.size() + 1,
            cell.substr(0, 40));
    row.push_back(value);
    if (tab == line.size()) return row;
    line.remove_prefix(tab + 1);
  }
}

/// [layers, kv_heads], as in the file
std::vector<double> read_table(const std::filesystem::path& file, const ModelIdentity& model) {
  std::ifstream stream(file, std::ios::binary);
  require(std::filesystem::is_regular_file(file) && stream.good(), Kind::input,
          "{}: cannot be read, need a TSV of layers x KV heads", file.string());
  std::vector<double> table;
  int64_t rows = 0;
  std::string line;
  for (int64_t number = 1; std::getline(stream, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    const std::string where = fmt::format("{}:{}", file.string(), number);
    const auto row = parse_row(line, where);
    require(static_cast<int64_t>(row.size()) == model.kv_heads, Kind::input,
            "{}: {} columns, the profile's model has {} KV heads", where, row.size(),
            model.kv_heads);
    table.insert(table.end(), row.begin(), row.end());
    ++rows;
  }
  require(rows == model.layers, Kind::input, "{}: {} rows, the profile's model has {} layers",
          file.string(), rows, model.layers);
  return table;
}

std::string read(const std::filesystem::path& file, const std::string&, Profile& profile) {
  const bool is_folder = std::filesystem::is_directory(file);
  const auto config_file = is_folder ? file / kConfig : file.parent_path() / kConfig;
  const auto config = read_json(config_file);
  const JsonPart part(config, config_file.string(), "");
  StreamingHeads streaming;
  streaming.sink_tokens = part.integer("sink_size", 0, StreamingHeads::kMostTokens);
  streaming.recent_tokens = part.integer("recent_size", 0, StreamingHeads::kMostTokens);
  streaming.retrieval = read_table(is_folder ? file / kTable : file, profile.model);
  int64_t clipped = 0;
  for (double& value : streaming.retrieval) {
    clipped += value < 0 || value > 1;
    value = std::clamp(value, 0.0, 1.0);
  }
  const std::string text = fmt::format(
      "streaming pattern: {} x {} KV heads, {} sink and {} recent tokens{}", profile.model.layers,
      profile.model.kv_heads, streaming.sink_tokens, streaming.recent_tokens,
      clipped > 0 ? fmt::format("; {} values clipped to 0 .. 1", clipped) : "");
  profile.streaming = std::move(streaming);
  return text;
}

std::vector<ExportedFile> write(const Profile& profile, const std::string&) {
  const StreamingHeads& streaming = part_of(profile.streaming, "streaming pattern");
  std::string table;
  for (size_t i = 0; i < streaming.retrieval.size(); ++i) {
    const bool ends_row = (static_cast<int64_t>(i) + 1) % profile.model.kv_heads == 0;
    table += fmt::format("{}{}", streaming.retrieval[i], ends_row ? '\n' : '\t');
  }
  const nlohmann::ordered_json config = {{"sink_size", streaming.sink_tokens},
                                         {"recent_size", streaming.recent_tokens}};
  return {{kTable, table}, {kConfig, config.dump(2) + "\n"}};
}

}  // namespace

extern constexpr ExchangeInfo exchange_duo{
    "duo", "DuoAttention's pattern, a folder with a TSV and config.json", "", read, write};

}  // namespace kvcal
