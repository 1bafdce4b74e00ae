// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/method.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/yaml.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace {

/// Fields of scorer and allocator; a field that both have is listed once.
std::vector<FieldInfo> fields_of(const ScorerInfo& scorer, const AllocatorInfo& allocator) {
  std::vector<FieldInfo> fields = scorer.fields();
  for (FieldInfo& field : allocator.fields()) {
    const bool is_listed = std::any_of(fields.begin(), fields.end(), [&](const FieldInfo& other) {
      return other.name == field.name;
    });
    if (!is_listed) fields.push_back(std::move(field));
  }
  return fields;
}

/// Value as given, else the default.
const ParamValue& value_of(const FieldInfo& field, const ParamMap& params) {
  const auto given = params.find(field.name);
  return given == params.end() ? field.default_value : given->second.value;
}

std::string make_scorer_key(const ScorerInfo& scorer, const ParamMap& params) {
  std::string key(scorer.name);
  for (const FieldInfo& field : scorer.fields()) {
    key += fmt::format("|{}={}", field.name, to_string(value_of(field, params)));
  }
  return key;
}

/// The error of an unknown name, with the line that has it.
template <class Find>
decltype(auto) at_place(const std::string& where, Find&& find) {
  try {
    return find();
  } catch (const Error& error) {
    fail(error.kind(), "{}: {}", where, error.what());
  }
}

/// Without a scorer nothing is cut, so nothing else may be said.
void require_full(const YamlMap& map) {
  const auto refuse = [&](const char* key) {
    fail(Kind::config, "{}: {} without a scorer, need `scorer:` too or neither", map.where(key),
         key);
  };
  if (map.optional_text("allocator")) refuse("allocator");
  if (!map.params("params").empty()) refuse("params");
}

Method read_method(const fs::path& file) {
  const YamlMap map = YamlMap::load(file);
  map.require_only({"name", "summary", "paper", "scorer", "allocator", "params"});
  Method method;
  method.name = map.text("name");
  method.summary = map.text("summary");
  method.paper = map.optional_text("paper").value_or("");
  if (!map.optional_text("scorer")) {
    require_full(map);
    return method;
  }
  method.scorer_name = map.text("scorer");
  method.allocator_name = map.text("allocator");
  method.params = map.params("params");
  const ScorerInfo& scorer = at_place(
      map.where("scorer"), [&]() -> const ScorerInfo& { return find_scorer(method.scorer_name); });
  const AllocatorInfo& allocator = at_place(map.where("allocator"), [&]() -> const AllocatorInfo& {
    return find_allocator(method.allocator_name);
  });
  require_known_keys(method.params, fields_of(scorer, allocator), "method " + method.name);
  method.scorer_key = make_scorer_key(scorer, method.params);
  method.scorer = scorer.make(method.params);
  method.allocator = allocator.make(method.params);
  return method;
}

/// Text that YAML would read as something else, or not at all, is quoted.
std::string yaml_text(const ParamValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return to_string(value);
  const bool is_plain = !text->empty() && std::isalpha(static_cast<unsigned char>((*text)[0])) &&
                        text->find_first_not_of(
                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "0123456789_-./") == std::string::npos;
  const bool is_word = *text == "true" || *text == "false" || *text == "null";
  if (is_plain && !is_word) return *text;
  std::string quoted = "\"";
  for (char c : *text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return quoted + "\"";
}

}  // namespace

Needs Method::needs() const {
  return is_full() ? Needs() : scorer->needs() | allocator->needs();
}

std::string Method::resolved() const {
  std::string text = fmt::format("name: {}\n", yaml_text(name));
  if (is_full()) return text;
  text += fmt::format("scorer: {}\nallocator: {}\n", scorer_name, allocator_name);
  const auto fields = fields_of(find_scorer(scorer_name), find_allocator(allocator_name));
  text += fields.empty() ? "params: {}\n" : "params:\n";
  for (const FieldInfo& field : fields) {
    text += fmt::format("  {}: {}\n", field.name, yaml_text(value_of(field, params)));
  }
  return text;
}

std::vector<std::string> known_methods() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(resource("configs/methods"))) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Method load_method(std::string_view spec) {
  if (spec.ends_with(".yaml")) return read_method(spec);
  const std::vector<std::string> known = known_methods();
  require(std::find(known.begin(), known.end(), spec) != known.end(), Kind::config,
          "unknown method '{}'{} (known: {}; or a path ending in .yaml)", spec,
          nearest_hint(spec, known), fmt::join(known, ", "));
  const fs::path file = resource("configs/methods") / fmt::format("{}.yaml", spec);
  Method method = read_method(file);
  require(method.name == spec, Kind::config, "{}: name = {}, need {} as the file is called",
          file.string(), method.name, spec);
  return method;
}

}  // namespace kvcal
