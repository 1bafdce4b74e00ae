// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/yaml.hpp"

#include <fmt/ranges.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string_view>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace fs = std::filesystem;
namespace {

/// What one file holds, includes resolved.
struct Contents {
  std::map<std::string, ParamEntry> scalars;
  std::map<std::string, ParamMap> maps;
  std::map<std::string, std::string> places;
};

std::string place(const std::string& file, const YAML::Mark& mark) {
  return mark.is_null() ? file : fmt::format("{}:{}", file, mark.line + 1);
}

std::string read_text(const fs::path& file, std::string_view asked_by) {
  std::ifstream stream(file, std::ios::binary);
  std::error_code refused;  // a name that the system does not take is no file
  require(fs::is_regular_file(file, refused) && stream.good(), Kind::config,
          "{}{} cannot be read, need a YAML file", asked_by, file.string());
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Listens to nothing; parsing alone shows whether there is a document.
struct Deaf : YAML::EventHandler {
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// YAML::LoadAll would do, but yaml-cpp 0.7 finds documents without end in a file such as ",a".
bool has_second_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Deaf handler;
  return parser.HandleNextDocument(handler) && parser.HandleNextDocument(handler);
}

YAML::Node parse_document(const std::string& text, const std::string& file) {
  try {
    const YAML::Node root = YAML::Load(text);
    require(root.IsMap() && !has_second_document(text), Kind::config,
            "{}: need one YAML map of keys and values", file);
    return root;
  } catch (const YAML::Exception& error) {
    fail(Kind::config, "{}: not YAML: {}", place(file, error.mark), error.msg);
  }
}

/// Numbers as YAML 1.2 reads a plain scalar; nothing when it is text.
std::optional<ParamValue> parse_number(std::string_view text) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (text == ".inf" || text == "+.inf") return infinity;
  if (text == "-.inf") return -infinity;
  if (text == ".nan") return std::numeric_limits<double>::quiet_NaN();
  if (text.starts_with('+')) text.remove_prefix(1);
  const std::string_view unsigned_text = text.substr(text.starts_with('-') ? 1 : 0);
  // std::from_chars would also take the words inf and nan.
  const bool may_be_number =
      !unsigned_text.empty() && std::string_view(".0123456789").find(unsigned_text[0]) != text.npos;
  if (!may_be_number) return std::nullopt;
  const char* end = text.data() + text.size();
  int64_t integer = 0;
  if (auto read = std::from_chars(text.data(), end, integer);
      read.ptr == end && read.ec == std::errc())
    return integer;
  double real = 0;
  if (auto read = std::from_chars(text.data(), end, real);
      read.ptr == end && read.ec == std::errc())
    return real;
  return std::nullopt;
}

bool is_quoted(const YAML::Node& node, const std::string& where) {
  const std::string tag = node.Tag();
  const bool is_text = tag == "!" || tag == "tag:yaml.org,2002:str";
  require(is_text || tag.empty() || tag == "?", Kind::config, "{}: tag {} is not supported", where,
          tag);
  return is_text;
}

ParamValue parse_scalar(const YAML::Node& node, const std::string& where) {
  const std::string text = node.Scalar();
  if (is_quoted(node, where)) return text;
  if (text == "true" || text == "false") return text == "true";
  return parse_number(text).value_or(ParamValue(text));
}

std::vector<double> parse_numbers(const YAML::Node& node, const std::string& key,
                                  const std::string& where) {
  std::vector<double> numbers;
  for (const auto& item : node) {
    const ParamValue value = item.IsScalar() ? parse_scalar(item, where) : ParamValue(false);
    const auto* integer = std::get_if<int64_t>(&value);
    const auto* real = std::get_if<double>(&value);
    require(integer != nullptr || real != nullptr, Kind::config,
            "{}: {}[{}] = {}, need a number (lists are of numbers)", where, key, numbers.size(),
            item.IsScalar() ? item.Scalar() : "a list or map");
    numbers.push_back(real != nullptr ? *real : static_cast<double>(*integer));
  }
  return numbers;
}

/// The key's text, after the checks that hold for every key.
template <class Taken>
std::string checked_key(const YAML::Node& key, const YAML::Node& value, const std::string& file,
                        const Taken& is_taken) {
  const std::string where = place(file, key.Mark());
  require(key.IsScalar(), Kind::config, "{}: a key must be plain text", where);
  const std::string name = key.Scalar();
  require(!is_taken(name), Kind::config, "{}: {} is given twice", where, name);
  require(!value.IsNull(), Kind::config, "{}: {} has no value", where, name);
  return name;
}

ParamMap parse_params(const YAML::Node& node, const std::string& owner, const std::string& file) {
  ParamMap params;
  for (const auto& item : node) {
    const std::string key =
        checked_key(item.first, item.second, file,
                    [&](const std::string& name) { return params.contains(name); });
    const std::string where = place(file, item.first.Mark());
    require(!item.second.IsMap(), Kind::config,
            "{}: {}.{} is a map, need a scalar or a list of numbers", where, owner, key);
    params[key] = {item.second.IsSequence() ? ParamValue(parse_numbers(item.second, key, where))
                                            : parse_scalar(item.second, where),
                   where};
  }
  return params;
}

Contents parse_contents(const YAML::Node& root, const std::string& file) {
  Contents contents;
  for (const auto& item : root) {
    const YAML::Node& value = item.second;
    const std::string key = checked_key(item.first, value, file, [&](const std::string& name) {
      return contents.scalars.contains(name) || contents.maps.contains(name);
    });
    const std::string where = place(file, item.first.Mark());
    if (value.IsMap()) {
      contents.maps[key] = parse_params(value, key, file);
      contents.places[key] = where;
    } else if (value.IsSequence()) {
      contents.scalars[key] = {parse_numbers(value, key, where), where};
    } else {
      is_quoted(value, where);  // refuses foreign tags
      contents.scalars[key] = {value.Scalar(), where};
    }
  }
  return contents;
}

/// Values of `over` replace those of `base`; a key may not change between scalar and map.
void override_with(Contents& base, const Contents& over) {
  for (const auto& [key, entry] : over.scalars) {
    if (base.maps.contains(key)) {
      fail(Kind::config, "{}: {} is a map in the included {}, need a map", entry.where, key,
           base.places.at(key));
    }
    base.scalars[key] = entry;
  }
  for (const auto& [key, params] : over.maps) {
    const std::string& where = over.places.at(key);
    if (const auto found = base.scalars.find(key); found != base.scalars.end()) {
      fail(Kind::config, "{}: {} is no map in the included {}, need the same here", where, key,
           found->second.where);
    }
    ParamMap& merged = base.maps[key];
    for (const auto& [name, entry] : params) merged[name] = entry;
    base.places[key] = where;
  }
}

Contents load_contents(const fs::path& file, std::string_view asked_by,
                       std::vector<fs::path>& open);

/// Contents of a text, its include resolved.
Contents read_contents(const std::string& text, const fs::path& file, std::vector<fs::path>& open) {
  Contents own = parse_contents(parse_document(text, file.string()), file.string());
  if (const auto include = own.scalars.find("include"); include != own.scalars.end()) {
    const auto* target = std::get_if<std::string>(&include->second.value);
    require(target != nullptr, Kind::config, "{}: include is a list, need one file name",
            include->second.where);
    Contents base = load_contents(file.parent_path() / *target,
                                  include->second.where + ": included file ", open);
    own.scalars.erase("include");
    override_with(base, own);
    own = std::move(base);
  }
  return own;
}

Contents load_contents(const fs::path& file, std::string_view asked_by,
                       std::vector<fs::path>& open) {
  std::error_code refused;  // told by read_text
  const fs::path canonical = fs::weakly_canonical(file, refused);
  require(std::find(open.begin(), open.end(), canonical) == open.end(), Kind::config,
          "{}{} includes itself", asked_by, file.string());
  open.push_back(canonical);
  Contents contents = read_contents(read_text(file, asked_by), file, open);
  open.pop_back();
  return contents;
}

}  // namespace

YamlMap YamlMap::load(const fs::path& file) {
  std::vector<fs::path> open;
  Contents contents = load_contents(file, "", open);
  return {file.string(), std::move(contents.scalars), std::move(contents.maps),
          std::move(contents.places)};
}

YamlMap YamlMap::parse(const std::string& text, const std::string& origin) {
  std::vector<fs::path> open;
  Contents contents = read_contents(text, origin, open);
  return {origin, std::move(contents.scalars), std::move(contents.maps),
          std::move(contents.places)};
}

YamlMap::YamlMap(std::string file, std::map<std::string, ParamEntry> scalars,
                 std::map<std::string, ParamMap> maps, std::map<std::string, std::string> places)
    : file_(std::move(file)),
      scalars_(std::move(scalars)),
      maps_(std::move(maps)),
      places_(std::move(places)) {}

void YamlMap::require_only(const std::vector<std::string>& keys) const {
  const auto check = [&](const std::string& key) {
    require(std::find(keys.begin(), keys.end(), key) != keys.end(), Kind::config,
            "{}: unknown key '{}'{} (known: {})", where(key), key, nearest_hint(key, keys),
            fmt::join(keys, ", "));
  };
  for (const auto& [key, entry] : scalars_) check(key);
  for (const auto& [key, params] : maps_) check(key);
}

std::string YamlMap::text(const std::string& key) const {
  const auto value = optional_text(key);
  require(value.has_value(), Kind::config, "{}: the key '{}' is missing", file_, key);
  return *value;
}

std::optional<std::string> YamlMap::optional_text(const std::string& key) const {
  const auto found = scalars_.find(key);
  const auto* text =
      found == scalars_.end() ? nullptr : std::get_if<std::string>(&found->second.value);
  const bool is_other = text == nullptr && (found != scalars_.end() || maps_.contains(key));
  require(!is_other, Kind::config, "{}: {} is a list or map, need one value", where(key), key);
  return text != nullptr ? std::optional(*text) : std::nullopt;
}

ParamMap YamlMap::params(const std::string& key) const {
  require(!scalars_.contains(key), Kind::config,
          "{}: {} is not a map, need `name: value` lines below it", where(key), key);
  const auto found = maps_.find(key);
  return found == maps_.end() ? ParamMap() : found->second;
}

std::string YamlMap::where(const std::string& key) const {
  if (const auto found = scalars_.find(key); found != scalars_.end()) return found->second.where;
  if (const auto found = places_.find(key); found != places_.end()) return found->second;
  return file_;
}

}  // namespace kvcal
