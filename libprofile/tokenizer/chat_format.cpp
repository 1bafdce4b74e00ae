// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/chat_format.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/yaml.hpp"
#include "metrics/text/unicode.hpp"
#include "tokenizer/json_part.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace {

struct Match {
  std::string model_type, template_contains, template_lacks, name_contains;
  bool has_template = true;
  template <class Visitor>
  void visit(Visitor& v) {
    v.field("model_type", model_type, any(), "model_type of config.json");
    v.field("template_contains", template_contains, any(), "part of the chat template");
    v.field("template_lacks", template_lacks, any(), "no part of the chat template");
    v.field("name_contains", name_contains, any(), "part of the model's name");
    v.field("has_template", has_template, any(), "false: the model has no chat template");
  }
};

struct Facts {
  std::string name, model_type;
  std::optional<std::string> chat_template;
};

YamlMap load_map(const fs::path& yaml) {
  YamlMap map = YamlMap::load(yaml);
  map.require_only({"name", "match", "prefix", "suffix", "adds_special_tokens", "trims_message"});
  require_known_keys(map.params("match"), list_fields<Match>(), "match");
  return map;
}

bool read_flag(const YamlMap& map, const std::string& key) {
  const std::string value = map.optional_text(key).value_or("false");
  require(value == "true" || value == "false", Kind::config, "{}: {} = {}, need true or false",
          map.where(key), key, value);
  return value == "true";
}

/// As Jinja's trim: Python's str.strip, of either end.
std::string trimmed(std::string_view message, bool at_start, bool at_end) {
  const std::u32string characters = text::code_points(message);
  std::u32string_view rest = characters;
  while (at_start && !rest.empty() && text::is_space(rest.front())) rest.remove_prefix(1);
  while (at_end && !rest.empty() && text::is_space(rest.back())) rest.remove_suffix(1);
  return text::to_utf8(rest);
}

/// How many conditions hold; nothing when one does not.
std::optional<int> fit(const Match& match, const Facts& model) {
  int held = 0;
  if (!match.model_type.empty()) {
    if (match.model_type != model.model_type) return std::nullopt;
    ++held;
  }
  if (!match.has_template) {
    if (model.chat_template) return std::nullopt;
    ++held;
  }
  if (!match.template_lacks.empty()) {
    if (model.chat_template.value_or("").find(match.template_lacks) != std::string::npos)
      return std::nullopt;
    ++held;
  }
  if (match.template_contains.empty() && match.name_contains.empty()) return held;
  const bool is_in_template =
      !match.template_contains.empty() &&
      model.chat_template.value_or("").find(match.template_contains) != std::string::npos;
  const bool is_in_name =
      !match.name_contains.empty() && model.name.find(match.name_contains) != std::string::npos;
  // The part of the template or name says more than a model_type that families share.
  return is_in_template || is_in_name ? std::optional(held + 2) : std::nullopt;
}

std::optional<std::string> read_chat_template(const fs::path& directory) {
  if (const fs::path jinja = directory / "chat_template.jinja"; fs::exists(jinja)) {
    std::ifstream stream(jinja, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(stream), {}};
  }
  const fs::path file = directory / "tokenizer_config.json";
  if (!fs::exists(file)) return std::nullopt;
  const nlohmann::json json = read_json(file);
  const JsonPart root(json, file.string(), "");
  if (!root.has("chat_template")) return std::nullopt;
  if (root.at("chat_template").value().is_string()) return root.text("chat_template");
  // Some models bring several, by name.
  for (const JsonPart& item : root.items("chat_template")) {
    if (item.text("name") == "default") return item.text("template");
  }
  return std::nullopt;
}

}  // namespace

ChatFormat ChatFormat::load(const fs::path& yaml) {
  const YamlMap map = load_map(yaml);
  ChatFormat format;
  format.name_ = map.text("name");
  format.prefix_ = map.text("prefix");
  format.suffix_ = map.text("suffix");
  format.adds_special_tokens_ = read_flag(map, "adds_special_tokens");
  format.trims_message_ = read_flag(map, "trims_message");
  return format;
}

ChatFormat ChatFormat::named(std::string_view spec) {
  if (spec.ends_with(".yaml")) return load(spec);
  const fs::path folder = resource("configs/models");
  const auto known = names_in("configs/models");
  require(std::find(known.begin(), known.end(), spec) != known.end(), Kind::config,
          "unknown chat format '{}'{} (known: {}; or a path ending in .yaml)", spec,
          nearest_hint(spec, known), fmt::join(known, ", "));
  return load(folder / fmt::format("{}.yaml", spec));
}

ChatFormat ChatFormat::for_model(const fs::path& model_directory, const ModelConfig& config) {
  const Facts model{config.name, config.model_type, read_chat_template(model_directory)};
  const auto known = names_in("configs/models");
  std::vector<fs::path> best;
  int best_fit = -1;
  for (const auto& name : known) {
    const fs::path file = resource("configs/models") / (name + ".yaml");
    const auto held = fit(read_params<Match>(load_map(file).params("match")), model);
    if (!held || *held < best_fit) continue;
    if (*held > best_fit) best.clear();
    best_fit = *held;
    best.push_back(file);
  }
  if (best.size() > 1) {
    fail(Kind::config, "{}: two chat formats fit equally: {}, {}", model_directory.string(),
         best[0].string(), best[1].string());
  }
  require(!best.empty(), Kind::config,
          "{}: no chat format fits (model_type {}, {}); known: {}; add one to configs/models",
          model_directory.string(), model.model_type,
          model.chat_template ? "its chat template is none of theirs" : "no chat template",
          fmt::join(known, ", "));
  return load(best.front());
}

std::string ChatFormat::wrap(std::string_view message) const {
  if (!trims_message_) return fmt::format("{}{}{}", prefix_, message, suffix_);
  return prefix_ + trimmed(message, /*at_start=*/true, /*at_end=*/true) + suffix_;
}

std::string ChatFormat::open(std::string_view start_of_message) const {
  return prefix_ + (trims_message_ ? trimmed(start_of_message, /*at_start=*/true, /*at_end=*/false)
                                   : std::string(start_of_message));
}

std::string ChatFormat::close(std::string_view end_of_message) const {
  return (trims_message_ ? trimmed(end_of_message, /*at_start=*/false, /*at_end=*/true)
                         : std::string(end_of_message)) +
         suffix_;
}

}  // namespace kvcal
