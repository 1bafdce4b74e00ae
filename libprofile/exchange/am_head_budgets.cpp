// SPDX-License-Identifier: Apache-2.0
/// Attention Matching's head budgets: each KV head's share of all kept entries.
///
/// Source   arXiv:2602.16284, the authors' `head_budget_optimization/`.
/// Form     {"L<layer>H<KV head>": share}: all KV heads, shares sum to 1.
/// Stores   shares as they stand. Writes them, or those that follow from measured influence.
/// Differs  the authors let a missing head take the uniform share; here a file has to name all.
/// Checked  unit/exchange_test.cpp.
#include <cmath>
#include <numeric>

#include "exchange/reading/by_head.hpp"
#include "kvcal/profile/exchange.hpp"
#include "tokenizer/json_part.hpp"

namespace kvcal {
namespace {

std::string kv_head_name(int64_t layer, int64_t kv_head) {
  return fmt::format("L{}H{}", layer, kv_head);
}

std::string read(const std::filesystem::path& file, const std::string&, Profile& profile) {
  const auto& model = profile.model;
  const auto root = read_json(file);
  const auto names = names_of(model.layers, model.kv_heads, kv_head_name);
  const auto values = values_of(root, names, file.string());
  std::vector<double> shares;  // [layers, kv_heads]
  for (size_t i = 0; i < values.size(); ++i)
    shares.push_back(number_of(*values[i], 1, fmt::format("{}: {}", file.string(), names[i])));
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  require(std::abs(sum - 1) <= kShareTolerance, Kind::input, "{}: the shares sum to {}, need 1",
          file.string(), sum);
  profile.kv_head_shares = std::move(shares);
  return fmt::format("KV head shares: {} x {} KV heads", model.layers, model.kv_heads);
}

std::vector<ExportedFile> write(const Profile& profile, const std::string&) {
  // A measured profile has curves, from which the shares follow.
  const auto curves = profile.facts().kv_head_influence;
  const auto shares = !profile.kv_head_shares && curves
                          ? influence_shares(*curves)
                          : part_of(profile.kv_head_shares, "table of KV head shares");
  const auto names = names_of(profile.model.layers, profile.model.kv_heads, kv_head_name);
  nlohmann::ordered_json root;
  for (size_t i = 0; i < names.size(); ++i) root[names[i]] = shares[i];
  return {{"head_budgets.json", root.dump(2) + "\n"}};
}

}  // namespace

extern constexpr ExchangeInfo exchange_am_head_budgets{
    "am_head_budgets", "Attention Matching's share of each KV head, JSON", "", read, write};

}  // namespace kvcal
