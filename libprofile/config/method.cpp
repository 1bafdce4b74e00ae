// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/method.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "kvcal/compress/chunks.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/profile.hpp"
#include "kvcal/profile/resources.hpp"
#include "kvcal/profile/yaml.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace {

/// Fields of all parts; a field that several have is listed once.
std::vector<FieldInfo> unite(std::initializer_list<std::vector<FieldInfo>> parts) {
  std::vector<FieldInfo> fields;
  for (const auto& part : parts) {
    for (const FieldInfo& field : part) {
      const bool is_listed = std::any_of(fields.begin(), fields.end(), [&](const FieldInfo& other) {
        return other.name == field.name;
      });
      if (!is_listed) fields.push_back(field);
    }
  }
  return fields;
}

std::vector<FieldInfo> fields_of(const Method& method) {
  return unite({find_scorer(method.scorer_name).fields(),
                find_allocator(method.allocator_name).fields(),
                find_selector(method.selector_name).fields(),
                find_compactor(method.compactor_name).fields()});
}

/// A parameter that several parts share has one value: where none is given, the default of the
/// first part that has it (scorer, allocator, selector, compactor).
ParamMap with_defaults(const Method& method) {
  ParamMap params = method.params;
  for (const FieldInfo& field : fields_of(method)) {
    params.try_emplace(field.name, ParamEntry{field.default_value, "default"});
  }
  return params;
}

/// Value as given, else the default.
const ParamValue& value_of(const FieldInfo& field, const ParamMap& params) {
  const auto given = params.find(field.name);
  return given == params.end() ? field.default_value : given->second.value;
}

template <class Info>
std::string make_key(const Info& part, const ParamMap& params) {
  std::string key(part.name);
  for (const FieldInfo& field : part.fields()) {
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

/// Without a scorer nothing is cut, so nothing else may be said of cutting.
void require_no_parts(const YamlMap& map) {
  const auto refuse = [&](const char* key) {
    fail(Kind::config, "{}: {} without a scorer, need `scorer:` too or neither", map.where(key),
         key);
  };
  for (const char* part : {"allocator", "selector", "compactor", "on_policy", "chunk_tokens",
                           "window_tokens", "window_positions"}) {
    if (map.optional_text(part)) refuse(part);
  }
  if (!map.params("params").empty()) refuse("params");
}

/// 0 where the key is absent.
int64_t read_tokens(const YamlMap& map, const char* key) {
  const auto text = map.optional_text(key);
  if (!text) return 0;
  int64_t tokens = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), tokens);
  require(error == std::errc() && end == text->data() + text->size() && tokens >= 1, Kind::config,
          "{}: {} = {}, need a whole number >= 1", map.where(key), key, *text);
  return tokens;
}

/// false where the key is absent.
bool read_flag(const YamlMap& map, const char* key) {
  const auto text = map.optional_text(key);
  if (!text) return false;
  require(*text == "true" || *text == "false", Kind::config, "{}: {} = {}, need true or false",
          map.where(key), key, *text);
  return *text == "true";
}

constexpr std::pair<std::string_view, WindowPositions> kWindowPositions[] = {
    {"document", WindowPositions::document}, {"window", WindowPositions::window}};

std::string_view name_of(WindowPositions positions) {
  for (const auto& [name, value] : kWindowPositions) {
    if (value == positions) return name;
  }
  return "unknown";
}

void read_window(const YamlMap& map, Method& method) {
  method.window_tokens = read_tokens(map, "window_tokens");
  require(method.window_tokens == 0 || method.chunk_tokens == 0, Kind::config,
          "{}: chunk_tokens and window_tokens, need one of them: the first cuts one prefill, the "
          "second has a prefill for each part",
          map.where("window_tokens"));
  const auto text = map.optional_text("window_positions");
  if (!text) return;
  for (const auto& [name, value] : kWindowPositions) {
    if (name != *text) continue;
    method.window_positions = value;
    return;
  }
  fail(Kind::config, "{}: window_positions = {}, need document or window",
       map.where("window_positions"), *text);
}

/// Names and parameters of the parts; the parts themselves are made by `make_parts`.
void read_parts(const YamlMap& map, Method& method) {
  method.scorer_name = map.text("scorer");
  method.allocator_name = map.text("allocator");
  method.selector_name = map.optional_text("selector").value_or("top");
  method.compactor_name = map.optional_text("compactor").value_or("gather");
  method.is_on_policy = read_flag(map, "on_policy");
  method.chunk_tokens = read_tokens(map, "chunk_tokens");
  read_window(map, method);
  method.params = map.params("params");
  at_place(map.where("scorer"), [&] { find_scorer(method.scorer_name); });
  at_place(map.where("allocator"), [&] { find_allocator(method.allocator_name); });
  at_place(map.where("selector"), [&] { find_selector(method.selector_name); });
  at_place(map.where("compactor"), [&] { find_compactor(method.compactor_name); });
}

void check_on_policy(const YamlMap& map, const Method& method) {
  const Needs needs = method.needs();
  require(needs.repeat_queries + needs.study_queries > 0, Kind::config,
          "{}: on_policy, but method {} has no queries of tokens behind the prompt: need "
          "reference_queries: repeat, study or repeat+study",
          map.where("on_policy"), method.name);
  require(method.chunk_tokens == 0 && method.window_tokens == 0, Kind::config,
          "{}: on_policy with chunk_tokens or window_tokens, need the whole prompt at once",
          map.where("on_policy"));
}

Method read_method(const fs::path& file) {
  const YamlMap map = YamlMap::load(file);
  map.require_only({"name", "summary", "paper", "scorer", "allocator", "selector", "compactor",
                    "on_policy", "chunk_tokens", "window_tokens", "window_positions", "rewrite",
                    "selection", "params"});
  Method method;
  method.name = map.text("name");
  method.summary = map.text("summary");
  method.paper = map.optional_text("paper").value_or("");
  method.selection = map.optional_text("selection").value_or("");
  method.rewrite_request = map.optional_text("rewrite").value_or("");
  if (!map.optional_text("scorer")) {
    require_no_parts(map);
    return method;
  }
  require(!method.is_rewrite(), Kind::config,
          "{}: rewrite and a scorer, need one of them: a text that is replaced is not cut",
          map.where("rewrite"));
  read_parts(map, method);
  make_parts(method);
  require(method.chunk_tokens == 0 || can_be_chunked(method.needs()), Kind::config,
          "{}: chunk_tokens, but method {} looks at the whole prompt; only methods of reference "
          "queries can be chunked",
          map.where("chunk_tokens"), method.name);
  if (method.is_on_policy) check_on_policy(map, method);
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

void make_parts(Method& method) {
  require_known_keys(method.params, fields_of(method), "method " + method.name);
  const ParamMap params = with_defaults(method);
  const ScorerInfo& scorer = find_scorer(method.scorer_name);
  const AllocatorInfo& allocator = find_allocator(method.allocator_name);
  const SelectorInfo& selector = find_selector(method.selector_name);
  method.scorer_key = make_key(scorer, params);
  method.allocator_key = make_key(allocator, params);
  method.selector_key = make_key(selector, params);
  method.scorer = scorer.make(params);
  method.allocator = allocator.make(params);
  method.selector = selector.make(params);
  method.compactor = find_compactor(method.compactor_name).make(params);
}

void take_selection(Method& method, const Profile& profile) {
  if (method.selection.empty()) return;
  const auto found = profile.selections.find(method.selection);
  const std::string file = profile.loaded_from.string();
  require(found != profile.selections.end(), Kind::config,
          "method {} needs the tuned selection '{}'{}", method.name, method.selection,
          file.empty() ? ": give --profile with what kv-tune wrote"
                       : fmt::format(", which {} lacks: run kv-tune on it", file));
  method.settings.clear();
  for (const Selection& selection : found->second) {
    const YamlMap map = YamlMap::parse(
        selection.method, fmt::format("{}: /selection, method of '{}'", file, method.selection));
    map.require_only({"name", "scorer", "allocator", "selector", "compactor", "params"});
    auto tuned = std::make_shared<Method>();
    tuned->name = method.name;
    read_parts(map, *tuned);
    make_parts(*tuned);
    method.settings.push_back({selection.budget_tokens, std::move(tuned)});
  }
}

const Method& Method::at(int64_t budget_tokens) const {
  if (settings.empty()) return *this;
  const auto distance = [&](const Setting& setting) {
    return std::abs(std::log(static_cast<double>(budget_tokens) / setting.budget_tokens));
  };
  const auto nearest = std::min_element(
      settings.begin(), settings.end(),
      [&](const Setting& a, const Setting& b) { return distance(a) < distance(b); });
  return *nearest->method;
}

bool Method::is_exact() const {
  if (is_full()) return true;
  if (is_rewrite()) return false;
  if (settings.empty()) return allocator->is_exact() && selector->is_exact();
  return std::all_of(settings.begin(), settings.end(),
                     [](const Setting& setting) { return setting.method->is_exact(); });
}

Needs Method::needs() const {
  if (scorer == nullptr) return {};
  if (settings.empty()) {
    return scorer->needs() | allocator->needs() | selector->needs() | compactor->needs();
  }
  Needs needs;
  for (const Setting& setting : settings) needs = needs | setting.method->needs();
  return needs;
}

std::string Method::resolved() const {
  std::string text;
  for (const Setting& setting : settings) {
    if (!text.empty()) text += "---\n";
    if (setting.budget_tokens > 0) {
      text += fmt::format("tuned_at_tokens: {}\n", setting.budget_tokens);
    }
    text += setting.method->resolved();
  }
  if (!settings.empty()) return text;
  text = fmt::format("name: {}\n", yaml_text(name));
  if (is_rewrite()) text += fmt::format("rewrite: {}\n", yaml_text(rewrite_request));
  if (scorer == nullptr) return text;
  text += fmt::format("scorer: {}\nallocator: {}\nselector: {}\ncompactor: {}\n", scorer_name,
                      allocator_name, selector_name, compactor_name);
  if (is_on_policy) text += "on_policy: true\n";
  if (chunk_tokens > 0) text += fmt::format("chunk_tokens: {}\n", chunk_tokens);
  if (is_windowed()) {
    text += fmt::format("window_tokens: {}\nwindow_positions: {}\n", window_tokens,
                        name_of(window_positions));
  }
  const auto fields = fields_of(*this);
  text += fields.empty() ? "params: {}\n" : "params:\n";
  for (const FieldInfo& field : fields) {
    text += fmt::format("  {}: {}\n", field.name, yaml_text(value_of(field, params)));
  }
  return text;
}

std::vector<std::string> known_methods() {
  return names_in("configs/methods");
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
