// SPDX-License-Identifier: Apache-2.0
/// LU-KV's table: how much of each KV head to prune at each overall share.
///
/// Source   arXiv:2602.08585, the authors' curve_data; read as in kvpress 0.5.5
///          `presses/lukv_press.py`.
/// Form     numbers 0 .. 1 of shape [steps, layers, kv_heads] (published: 99 steps of one percent),
///          as .npy, or as a nested list in JSON. Exported as JSON.
/// Checked  unit/exchange_test.cpp, cli/kv_eval_runs_imported_patterns_and_tables.
#include <fmt/ranges.h>

#include <fstream>

#include "exchange/reading/by_head.hpp"
#include "exchange/reading/npy.hpp"
#include "kvcal/profile/exchange.hpp"
#include "tokenizer/json_part.hpp"

namespace kvcal {
namespace {

using nlohmann::json;

PruneTable from_json(const json& root, const ModelIdentity& model, const std::string& file) {
  require(root.is_array() && !root.empty(), Kind::input,
          "{}: a JSON {} of {}, need a list of steps", file, root.type_name(), root.size());
  PruneTable table{static_cast<int64_t>(root.size()), {}};
  for (size_t step = 0; step < root.size(); ++step) {
    require_list(root[step], model.layers, "layers", fmt::format("{}: [{}]", file, step));
    for (int64_t layer = 0; layer < model.layers; ++layer) {
      const json& row = root[step][static_cast<size_t>(layer)];
      const std::string where = fmt::format("{}: [{}][{}]", file, step, layer);
      require_list(row, model.kv_heads, "KV heads", where);
      for (size_t head = 0; head < row.size(); ++head)
        table.shares.push_back(number_of(row[head], 1, fmt::format("{}[{}]", where, head)));
    }
  }
  return table;
}

PruneTable from_npy(NpyArray array, const ModelIdentity& model, const std::string& file) {
  const bool fits = array.shape.size() == 3 && array.shape[0] >= 1 &&
                    array.shape[1] == model.layers && array.shape[2] == model.kv_heads;
  require(fits, Kind::input, "{}: shape ({}), need (steps, {}, {})", file,
          fmt::join(array.shape, ", "), model.layers, model.kv_heads);
  for (size_t i = 0; i < array.values.size(); ++i) {
    const double share = array.values[i];
    require(share >= 0 && share <= 1, Kind::input, "{}: value {} = {}, need 0 .. 1", file, i,
            share);
  }
  return {array.shape[0], std::move(array.values)};
}

std::string read(const std::filesystem::path& file, const std::string&, Profile& profile) {
  std::ifstream stream(file, std::ios::binary);
  require(std::filesystem::is_regular_file(file) && stream.good(), Kind::input,
          "{}: cannot be read, need .npy or JSON", file.string());
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  profile.prune_table =
      is_npy(bytes) ? from_npy(parse_npy(bytes, file.string()), profile.model, file.string())
                    : from_json(read_json(file), profile.model, file.string());
  return fmt::format("prune table: {} steps of {} x {} KV heads", profile.prune_table->steps,
                     profile.model.layers, profile.model.kv_heads);
}

std::vector<ExportedFile> write(const Profile& profile, const std::string&) {
  const PruneTable& table = part_of(profile.prune_table, "prune table");
  auto root = json::array();
  size_t at = 0;
  for (int64_t step = 0; step < table.steps; ++step) {
    auto layers = json::array();
    for (int64_t layer = 0; layer < profile.model.layers; ++layer) {
      auto row = json::array();
      for (int64_t head = 0; head < profile.model.kv_heads; ++head)
        row.push_back(table.shares[at++]);
      layers.push_back(std::move(row));
    }
    root.push_back(std::move(layers));
  }
  return {{"table.json", root.dump() + "\n"}};
}

}  // namespace

extern constexpr ExchangeInfo exchange_lukv{
    "lukv", "LU-KV's table of shares to prune, .npy or JSON", "", read, write};

}  // namespace kvcal
