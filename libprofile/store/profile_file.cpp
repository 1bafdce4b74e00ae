// SPDX-License-Identifier: Apache-2.0
// kvcal.profile/1 as docs/profile-format.md lays it down.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/profile.hpp"
#include "store/columns.hpp"
#include "store/hdf5.hpp"

namespace kvcal {
namespace {

constexpr std::string_view kProfileFormat = "kvcal.profile";
constexpr int64_t kProfileVersion = 1;
constexpr std::string_view kStreamingPath = "/patterns/streaming";
constexpr std::string_view kPrunePath = "/tables/prune";
constexpr std::string_view kSharesPath = "/tables/kv_head_shares";
constexpr std::string_view kSelectionPath = "/selection";
constexpr std::string_view kLayerCostPath = "/layers/kl";
constexpr std::string_view kKvHeadCostPath = "/kv_heads/utility";
constexpr std::string_view kInfluencePath = "/kv_heads/influence";

/// Who is asked to put a value right: the owner of the file on load, we on save.
struct Place {
  std::string file;
  Kind kind;
};

std::string index_text(size_t flat, const Hdf5Shape& shape) {
  std::vector<std::string> indices(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    indices[axis] = std::to_string(flat % static_cast<size_t>(shape[axis]));
    flat /= static_cast<size_t>(shape[axis]);
  }
  std::string text;
  for (const auto& index : indices) text += (text.empty() ? "" : ", ") + index;
  return text;
}

template <class T>
void require_numbers(const std::vector<T>& values, const Hdf5Shape& shape, double least,
                     const std::string& path, const Place& place) {
  const auto count = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  require(static_cast<int64_t>(values.size()) == count, place.kind, "{}: {} has {} values, need {}",
          place.file, path, values.size(), count);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<double>(values[i]);
    require(std::isfinite(value), place.kind, "{}: {}[{}] = {}, need a finite number", place.file,
            path, index_text(i, shape), value);
    require(value >= least, place.kind, "{}: {}[{}] = {}, need >= {}", place.file, path,
            index_text(i, shape), value, least);
  }
}

/// Shares: finite numbers in 0 .. 1.
void require_shares(const std::vector<double>& values, const Hdf5Shape& shape,
                    std::string_view path, const Place& place) {
  require_numbers(values, shape, 0, std::string(path), place);
  for (size_t i = 0; i < values.size(); ++i) {
    require(values[i] <= 1, place.kind, "{}: {}[{}] = {}, need 0 .. 1", place.file, path,
            index_text(i, shape), values[i]);
  }
}

void require_tokens(int64_t tokens, const char* name, const Place& place) {
  constexpr int64_t kMostTokens = StreamingHeads::kMostTokens;
  require(tokens >= 0 && tokens <= kMostTokens, place.kind, "{}: {} @{} = {}, need 0 .. {}",
          place.file, kStreamingPath, name, tokens, kMostTokens);
}

void require_count(int64_t count, const std::string& path, const Place& place) {
  require(count >= 0, place.kind, "{}: {}/count = {}, need >= 0", place.file, path, count);
}

void require_geometry(const ModelIdentity& model, const Place& place) {
  const bool is_sound = model.layers >= 1 && model.kv_heads >= 1 && model.head_dim >= 1 &&
                        model.heads >= model.kv_heads && model.heads % model.kv_heads == 0;
  require(
      is_sound, place.kind,
      "{}: geometry layers = {}, heads = {}, kv_heads = {}, head_dim = {}, need numbers >= 1 and "
      "heads a multiple of kv_heads",
      place.file, model.layers, model.heads, model.kv_heads, model.head_dim);
}

std::string heads_path(const std::string& kind) {
  return "/heads/" + escape_name(kind);
}
std::string error_path(const std::string& dataset) {
  return "/layers/error/" + escape_name(dataset);
}
std::string budget_path(const std::string& allocator, int64_t budget_tokens) {
  return fmt::format("/budgets/{}/{}", escape_name(allocator), budget_tokens);
}

void check_heads(const std::string& path, const HeadScores& scores, const ModelIdentity& model,
                 const Place& place) {
  constexpr double kAnyNumber = -std::numeric_limits<double>::infinity();
  require_count(scores.count, path, place);
  require_numbers(scores.sum, {model.layers, model.heads}, kAnyNumber, path + "/sum", place);
  require_numbers(scores.per_prompt, {scores.count, model.layers, model.heads}, kAnyNumber,
                  path + "/per_prompt", place);
}

void check_budget(const std::string& path, int64_t budget_tokens,
                  const std::vector<int64_t>& budget, const ModelIdentity& model,
                  const Place& place) {
  require_numbers(budget, {model.layers, model.kv_heads}, 0, path, place);
  const int64_t total = std::accumulate(budget.begin(), budget.end(), int64_t{0});
  const int64_t need = budget_tokens * model.layers * model.kv_heads;
  require(total == need, place.kind, "{}: {} sums to {}, need budget x layers x kv_heads = {}",
          place.file, path, total, need);
}

/// @param has_whole  the last point is a unit that keeps everything
void check_costs(const std::optional<UnitCosts>& costs, int64_t units, bool has_whole,
                 std::string_view path, const Place& place) {
  if (!costs) return;
  const auto points = static_cast<int64_t>(costs->shares.size());
  const bool is_ascending = std::is_sorted(costs->shares.begin(), costs->shares.end());
  const bool ends_well =
      points > 0 && (has_whole ? costs->shares.back() == 1 : costs->shares.back() <= 1);
  require(points >= 2 && is_ascending && costs->shares.front() > 0 && ends_well, place.kind,
          "{}: {}/shares are not two or more ascending numbers above 0 up to 1", place.file, path);
  require_count(costs->count, std::string(path), place);
  require_numbers(costs->sum, {units, points}, -std::numeric_limits<double>::infinity(),
                  fmt::format("{}/sum", path), place);
}

void check_tables(const Profile& profile, const Place& place) {
  const ModelIdentity& model = profile.model;
  const int64_t kv_heads = model.layers * model.kv_heads;
  check_costs(profile.layer_costs, model.layers, true, kLayerCostPath, place);
  check_costs(profile.kv_head_costs, kv_heads, true, kKvHeadCostPath, place);
  check_costs(profile.kv_head_influence, kv_heads, false, kInfluencePath, place);
  if (const auto& streaming = profile.streaming) {
    require_shares(streaming->retrieval, {model.layers, model.kv_heads},
                   fmt::format("{}/retrieval", kStreamingPath), place);
    require_tokens(streaming->sink_tokens, "sink_tokens", place);
    require_tokens(streaming->recent_tokens, "recent_tokens", place);
  }
  if (const auto& table = profile.prune_table) {
    require(table->steps >= 1, place.kind, "{}: {} has {} steps, need at least 1", place.file,
            kPrunePath, table->steps);
    require_shares(table->shares, {table->steps, model.layers, model.kv_heads}, kPrunePath, place);
  }
  if (const auto& shares = profile.kv_head_shares) {
    require_shares(*shares, {model.layers, model.kv_heads}, kSharesPath, place);
    const double sum = std::accumulate(shares->begin(), shares->end(), 0.0);
    require(std::abs(sum - 1) <= kShareTolerance, place.kind, "{}: {} sums to {}, need 1",
            place.file, kSharesPath, sum);
  }
}

/// A curve with a budget twice, or out of order, could not be drawn or added up.
void check_curve(const LayerErrors& errors, const std::string& path, int64_t layers,
                 const Place& place) {
  const auto& tokens = errors.curve_tokens;
  const auto points = static_cast<int64_t>(tokens.size());
  require_numbers(tokens, {points}, 1, path + "/curve_tokens", place);
  const bool is_ascending =
      std::adjacent_find(tokens.begin(), tokens.end(), std::greater_equal<>()) == tokens.end();
  require(is_ascending, place.kind, "{}: {}/curve_tokens are not ascending", place.file, path);
  require_numbers(errors.curve, {layers, points}, 0, path + "/curve", place);
}

/// Methods look for the setting of the nearest budget.
void check_selections(const Profile& profile, const Place& place) {
  for (const auto& [name, settings] : profile.selections) {
    for (size_t i = 0; i < settings.size(); ++i) {
      const double least = i == 0 ? 0 : settings[i - 1].budget_tokens;
      const double tokens = settings[i].budget_tokens;
      require(tokens >= least && (i == 0 || tokens > least) && std::isfinite(tokens), place.kind,
              "{}: {}/budget_tokens of '{}' = {}, need ascending numbers", place.file,
              kSelectionPath, name, tokens);
    }
  }
}

/// Everything that must hold for the numbers of a profile, read or about to be written.
void check(const Profile& profile, const Place& place) {
  require_geometry(profile.model, place);
  for (const auto& [kind, scores] : profile.heads) {
    check_heads(heads_path(kind), scores, profile.model, place);
  }
  for (const auto& [dataset, errors] : profile.layer_errors) {
    const std::string path = error_path(dataset);
    require_count(errors.count, path, place);
    require_numbers(errors.sum, {profile.model.layers}, 0, path + "/sum", place);
    check_curve(errors, path, profile.model.layers, place);
  }
  for (const auto& [allocator, budgets] : profile.budgets) {
    for (const auto& [budget_tokens, budget] : budgets) {
      check_budget(budget_path(allocator, budget_tokens), budget_tokens, budget, profile.model,
                   place);
    }
  }
  check_tables(profile, place);
  check_selections(profile, place);
}

/// One row a setting, the name of its space as a column of its own.
struct NamedSelection {
  static constexpr auto kAddedLater = std::to_array(Selection::kAddedLater);
  std::string name;
  Selection selection;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& v) {
    v("name", self.name);
    Selection::fields(self.selection, v);
  }
};

// ---- reading

/// The ranking follows from the sums; it is stored for readers that do not want to sort.
void check_ranking(const Hdf5Reader& reader, const std::string& path, const HeadScores& scores) {
  const auto stored = reader.read<int32_t>(path, {scores.layers, scores.heads});
  const auto expected = scores.ranking();
  for (int64_t layer = 0; layer < scores.layers; ++layer) {
    const auto row = stored.begin() + layer * scores.heads;
    std::set<int32_t> seen;
    for (int64_t place = 0; place < scores.heads; ++place) {
      const int32_t head = row[place];
      require(head >= 0 && head < scores.heads, Kind::input, "{}: {}[{}, {}] = {}, need 0 .. {}",
              reader.file().string(), path, layer, place, head, scores.heads - 1);
      require(seen.insert(head).second, Kind::input, "{}: {} lists head {} of layer {} twice",
              reader.file().string(), path, head, layer);
    }
    require(std::equal(row, row + scores.heads, expected[layer].begin()), Kind::input,
            "{}: {} of layer {} is not the order of sum, largest first", reader.file().string(),
            path, layer);
  }
}

HeadScores read_heads(const Hdf5Reader& reader, const std::string& path, const ModelIdentity& model,
                      const Place& place) {
  HeadScores scores;
  scores.layers = model.layers;
  scores.heads = model.heads;
  scores.sum = reader.read<double>(path + "/sum", {model.layers, model.heads});
  scores.count = reader.read_scalar<int64_t>(path + "/count");
  require_count(scores.count, path, place);
  scores.per_prompt =
      reader.read<float>(path + "/per_prompt", {scores.count, model.layers, model.heads});
  check_heads(path, scores, model, place);
  check_ranking(reader, path + "/ranking", scores);
  return scores;
}

int64_t budget_of_name(const std::string& name, const std::string& group,
                       const Hdf5Reader& reader) {
  int64_t budget_tokens = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), budget_tokens);
  require(parsed.ec == std::errc() && parsed.ptr == name.data() + name.size() && budget_tokens >= 1,
          Kind::input, "{}: {}/{}: the name is no budget, need a whole number of tokens >= 1",
          reader.file().string(), group, name);
  return budget_tokens;
}

/// Names below a group, none where the group is absent.
std::vector<std::string> names_in(const Hdf5Reader& reader, const std::string& group) {
  return reader.has(group) ? reader.children(group) : std::vector<std::string>();
}

void read_budgets(const Hdf5Reader& reader, Profile& profile) {
  for (const auto& allocator : names_in(reader, "/budgets")) {
    const std::string group = "/budgets/" + allocator;
    for (const auto& name : reader.children(group)) {
      const int64_t budget_tokens = budget_of_name(name, group, reader);
      profile.budgets[unescape_name(allocator)][budget_tokens] =
          reader.read<int64_t>(group + "/" + name, {profile.model.layers, profile.model.kv_heads});
    }
  }
}

void read_prompts(const Hdf5Reader& reader, Profile& profile) {
  const auto digests = reader.read<std::string>("/prompts/sha256", {kAnySize});
  const auto origins =
      reader.read<std::string>("/prompts/origin", {static_cast<int64_t>(digests.size())});
  for (size_t i = 0; i < digests.size(); ++i) profile.prompts.push_back({digests[i], origins[i]});
}

std::optional<UnitCosts> read_costs(const Hdf5Reader& reader, std::string_view where,
                                    int64_t units) {
  const std::string path(where);
  if (!reader.has(path)) return std::nullopt;
  UnitCosts costs;
  costs.units = units;
  costs.shares = reader.read<double>(path + "/shares", {kAnySize});
  costs.sum =
      reader.read<double>(path + "/sum", {units, static_cast<int64_t>(costs.shares.size())});
  costs.count = reader.read_scalar<int64_t>(path + "/count");
  return costs;
}

void read_tables(const Hdf5Reader& reader, Profile& profile) {
  const auto& model = profile.model;
  profile.layer_costs = read_costs(reader, kLayerCostPath, model.layers);
  profile.kv_head_costs = read_costs(reader, kKvHeadCostPath, model.layers * model.kv_heads);
  profile.kv_head_influence = read_costs(reader, kInfluencePath, model.layers * model.kv_heads);
  const Hdf5Shape by_head = {profile.model.layers, profile.model.kv_heads};
  if (const std::string path(kStreamingPath); reader.has(path)) {
    profile.streaming = {reader.read<double>(path + "/retrieval", by_head),
                         reader.attribute<int64_t>(path, "sink_tokens"),
                         reader.attribute<int64_t>(path, "recent_tokens")};
  }
  if (const std::string path(kPrunePath); reader.has(path)) {
    PruneTable& table = profile.prune_table.emplace();
    table.shares = reader.read<double>(path, {kAnySize, by_head[0], by_head[1]});
    table.steps = reader.shape(path).front();
  }
  if (const std::string path(kSharesPath); reader.has(path)) {
    profile.kv_head_shares = reader.read<double>(path, by_head);
  }
}

// ---- writing

void write_heads(Hdf5Writer& writer, const std::string& path, const HeadScores& scores) {
  writer.write(path + "/sum", scores.sum, {scores.layers, scores.heads});
  writer.write_scalar(path + "/count", scores.count);
  writer.write(path + "/per_prompt", scores.per_prompt,
               {scores.count, scores.layers, scores.heads});
  std::vector<int32_t> ranking;  // [layers, heads]
  for (const auto& row : scores.ranking()) ranking.insert(ranking.end(), row.begin(), row.end());
  writer.write(path + "/ranking", ranking, {scores.layers, scores.heads});
}

void write_prompts(Hdf5Writer& writer, const std::vector<PromptDigest>& prompts) {
  std::vector<std::string> digests, origins;
  for (const auto& prompt : prompts) {
    digests.push_back(prompt.sha256);
    origins.push_back(prompt.origin);
  }
  const auto count = static_cast<int64_t>(prompts.size());
  writer.write("/prompts/sha256", digests, {count});
  writer.write("/prompts/origin", origins, {count});
}

void write_selections(Hdf5Writer& writer, const Profile& profile) {
  if (profile.selections.empty()) return;
  std::vector<NamedSelection> rows;
  for (const auto& [name, settings] : profile.selections) {
    for (const auto& setting : settings) rows.push_back({name, setting});
  }
  write_columns(writer, std::string(kSelectionPath), std::span<const NamedSelection>(rows));
}

void write_costs(Hdf5Writer& writer, std::string_view where,
                 const std::optional<UnitCosts>& costs) {
  if (!costs) return;
  const std::string path(where);
  const auto points = static_cast<int64_t>(costs->shares.size());
  writer.write(path + "/shares", costs->shares, {points});
  writer.write(path + "/sum", costs->sum, {costs->units, points});
  writer.write_scalar(path + "/count", costs->count);
}

void write_tables(Hdf5Writer& writer, const Profile& profile) {
  write_costs(writer, kLayerCostPath, profile.layer_costs);
  write_costs(writer, kKvHeadCostPath, profile.kv_head_costs);
  write_costs(writer, kInfluencePath, profile.kv_head_influence);
  const Hdf5Shape by_head = {profile.model.layers, profile.model.kv_heads};
  if (const auto& streaming = profile.streaming) {
    const std::string path(kStreamingPath);
    writer.write(path + "/retrieval", streaming->retrieval, by_head);
    writer.write_attribute(path, "sink_tokens", streaming->sink_tokens);
    writer.write_attribute(path, "recent_tokens", streaming->recent_tokens);
  }
  if (const auto& table = profile.prune_table) {
    writer.write(std::string(kPrunePath), table->shares, {table->steps, by_head[0], by_head[1]});
  }
  if (profile.kv_head_shares) {
    writer.write(std::string(kSharesPath), *profile.kv_head_shares, by_head);
  }
}

/// A part of a dataset's errors that it need not have.
bool is_curve(const std::string& path) {
  return path.starts_with("/layers/error/") &&
         (path.ends_with("/curve") || path.ends_with("/curve_tokens"));
}

/// Groups whose members are entries of our maps: what is not in the map was taken out on purpose.
bool is_own(const std::string& path) {
  return path == "/heads" || path == "/layers/error" || path.starts_with("/budgets") ||
         path == "/history" || path == kSelectionPath || path == kLayerCostPath ||
         path == kKvHeadCostPath || path == kInfluencePath || path == kStreamingPath ||
         path == kPrunePath || path == kSharesPath || is_curve(path);
}

/// Groups that hold parts of ours beside unknown ones.
bool is_shared(const std::string& path) {
  return path == "/layers" || path == "/kv_heads" || path == "/patterns" || path == "/tables";
}

/// What later versions within format 1 added must survive a program of this version.
void copy_unknown(const Hdf5Reader& from, Hdf5Writer& to, const std::string& group) {
  for (const auto& name : from.children(group)) {
    const std::string path = (group == "/" ? "" : group) + "/" + name;
    if (to.has(path) || is_shared(path)) {
      if (from.is_group(path)) copy_unknown(from, to, path);
    } else if (!is_own(group) && !is_own(path)) {
      to.copy_from(from, path, path);
    }
  }
}

}  // namespace

Profile Profile::load(const std::filesystem::path& file) {
  const Hdf5Reader reader(file);
  reader.require_format(kProfileFormat, kProfileVersion);
  const Place place{file.string(), Kind::input};
  Profile profile;
  profile.loaded_from = file;
  profile.model = read_root_attributes<ModelIdentity>(reader);
  profile.provenance = read_root_attributes<Provenance>(reader);
  require_geometry(profile.model, place);
  if (reader.has("/history")) profile.history = read_columns<Provenance>(reader, "/history");
  for (const auto& kind : names_in(reader, "/heads")) {
    profile.heads[unescape_name(kind)] = read_heads(reader, "/heads/" + kind, profile.model, place);
  }
  if (reader.has("/layers")) {
    for (const auto& dataset : names_in(reader, "/layers/error")) {
      const std::string path = "/layers/error/" + dataset;
      LayerErrors& errors = profile.layer_errors[unescape_name(dataset)];
      errors.sum = reader.read<double>(path + "/sum", {profile.model.layers});
      errors.count = reader.read_scalar<int64_t>(path + "/count");
      if (reader.has(path + "/curve")) {
        errors.curve_tokens = reader.read<int64_t>(path + "/curve_tokens", {kAnySize});
        const auto points = static_cast<int64_t>(errors.curve_tokens.size());
        errors.curve = reader.read<double>(path + "/curve", {profile.model.layers, points});
      }
    }
  }
  read_budgets(reader, profile);
  read_tables(reader, profile);
  if (reader.has(std::string(kSelectionPath))) {
    for (auto& row : read_columns<NamedSelection>(reader, std::string(kSelectionPath))) {
      profile.selections[row.name].push_back(std::move(row.selection));
    }
  }
  read_prompts(reader, profile);
  check(profile, place);
  return profile;
}

void Profile::save(const std::filesystem::path& file) const {
  check(*this, {file.string(), Kind::internal});
  Hdf5Writer writer(file);
  writer.write_attribute("/", "format", fmt::format("{}/{}", kProfileFormat, kProfileVersion));
  write_root_attributes(writer, model);
  write_root_attributes(writer, provenance);
  if (!history.empty()) write_columns(writer, "/history", std::span<const Provenance>(history));
  for (const auto& [kind, scores] : heads) write_heads(writer, heads_path(kind), scores);
  for (const auto& [dataset, errors] : layer_errors) {
    writer.write(error_path(dataset) + "/sum", errors.sum, {model.layers});
    writer.write_scalar(error_path(dataset) + "/count", errors.count);
    if (errors.curve_tokens.empty()) continue;
    const auto points = static_cast<int64_t>(errors.curve_tokens.size());
    writer.write(error_path(dataset) + "/curve_tokens", errors.curve_tokens, {points});
    writer.write(error_path(dataset) + "/curve", errors.curve, {model.layers, points});
  }
  for (const auto& [allocator, of_allocator] : budgets) {
    for (const auto& [budget_tokens, budget] : of_allocator) {
      writer.write(budget_path(allocator, budget_tokens), budget, {model.layers, model.kv_heads});
    }
  }
  write_tables(writer, *this);
  write_selections(writer, *this);
  write_prompts(writer, prompts);
  if (!loaded_from.empty()) copy_unknown(Hdf5Reader(loaded_from), writer, "/");
  writer.finish();
}

}  // namespace kvcal
