// SPDX-License-Identifier: Apache-2.0
#include "shared/yaml_flags.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

std::string flag_name(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return key;
}

class YamlFlags : public CLI::Config {
 public:
  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    try {
      return read(YAML::Load(input));
    } catch (const YAML::Exception& error) {
      throw CLI::ConfigError(fmt::format("--config: line {}: {}", error.mark.line + 1, error.msg));
    }
  }

 private:
  static std::vector<CLI::ConfigItem> read(const YAML::Node& root) {
    if (!root.IsMap()) throw CLI::ConfigError("--config: need a map of flags");
    std::vector<CLI::ConfigItem> items;
    for (const auto& entry : root) {
      CLI::ConfigItem item;
      item.name = flag_name(entry.first.as<std::string>());
      if (entry.second.IsSequence()) {
        for (const auto& value : entry.second) item.inputs.push_back(value.as<std::string>());
      } else {
        item.inputs.push_back(entry.second.as<std::string>());
      }
      items.push_back(item);
    }
    return items;
  }
};

/// Where results go and how they are shown, not what they are.
constexpr std::array kNotDeciding{"output",
                                  "resume",
                                  "force",
                                  "quiet",
                                  "verbose",
                                  "json",
                                  "config",
                                  "dry-run",
                                  "threads",
                                  "no-provenance",
                                  "help",
                                  "version",
                                  "plot",
                                  "model",
                                  "profile",
                                  "gate",
                                  "baseline",
                                  "shard",
                                  "measure-latency",
                                  "latency-tokens",
                                  "latency-repeats",
                                  "predictions",
                                  "rendezvous",
                                  "lease-seconds"};

}  // namespace

void add_config_flag(CLI::App& app) {
  app.set_config("--config", "", "YAML file with flags; the command line wins");
  app.config_formatter(std::make_shared<YamlFlags>());
  app.allow_config_extras(CLI::config_extras_mode::error);
}

std::string resolved_flags(const CLI::App& app) {
  YAML::Emitter yaml;
  yaml << YAML::BeginMap;
  for (const auto* option : app.get_options()) {
    const std::string name = option->get_single_name();
    if (std::find(kNotDeciding.begin(), kNotDeciding.end(), name) != kNotDeciding.end()) continue;
    std::string key = name;
    std::replace(key.begin(), key.end(), '-', '_');
    yaml << YAML::Key << key << YAML::Value;
    if (option->empty()) {
      yaml << option->get_default_str();
    } else if (option->results().size() == 1) {
      yaml << option->results().front();
    } else {
      yaml << YAML::Flow << option->results();
    }
  }
  yaml << YAML::EndMap;
  return std::string(yaml.c_str()) + "\n";
}

}  // namespace kvcal
