// SPDX-License-Identifier: Apache-2.0
#include "shared/flags.hpp"

#include <ATen/Parallel.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <ctime>
#include <optional>

#include "shared/app.hpp"
#include "shared/yaml_flags.hpp"

namespace kvcal {
namespace {

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

ParamValue parse_value(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  if (const auto integer = parse_number<int64_t>(text)) return *integer;
  if (const auto real = parse_number<double>(text)) return *real;
  std::vector<double> list;
  for (const auto& part : CLI::detail::split(text, ',')) {
    const auto number = parse_number<double>(part);
    if (!number) return text;
    list.push_back(*number);
  }
  return list;
}

}  // namespace

void add_shared_flags(CLI::App& app, SharedFlags& flags) {
  app.add_option("--model", flags.model, "Hugging Face model directory")->required();
  app.add_option("--chat-format", flags.chat_format,
                 "name in configs/models or a YAML file (default: what fits the model's template)");
  app.add_option("--output", flags.output, "file to write");
  app.add_option("--device", flags.device, "cpu or cuda:N")->capture_default_str();
  app.add_option("--dtype", flags.dtype, "auto (as stored), f32, bf16 or f16")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "f16"}))
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "CPU threads; 0 = all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seed", flags.seed, "of everything that is drawn")->capture_default_str();
  app.add_option("--limit", flags.limit, "at most this many prompts per task; 0 = all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--rendezvous", flags.rendezvous,
                 "HOST:PORT of the first of several processes, where their launcher does not say");
  app.add_option("--lease-seconds", flags.lease_seconds,
                 "of several processes, one that is silent for so long is taken for dead")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--resume", flags.is_resume, "go on where a killed run of the same config stopped");
  app.add_flag("--force", flags.is_force, "replace an existing output")->excludes("--resume");
  app.add_option("--json", flags.json,
                 "also write the result as JSON; - for stdout instead of the table");
  app.add_flag("--dry-run", flags.is_dry_run, "print the resolved config and estimates, and stop");
  app.add_flag("-q,--quiet", flags.is_quiet, "no progress");
  app.add_flag("-v,--verbose", flags.is_verbose, "more log lines");
  app.add_flag("!--no-provenance", flags.has_provenance,
               "leave out time and command line, for golden files");
  add_config_flag(app);
}

void apply_shared_flags(const SharedFlags& flags) {
  spdlog::set_level(flags.is_verbose ? spdlog::level::debug
                    : flags.is_quiet ? spdlog::level::warn
                                     : spdlog::level::info);
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
}

CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                      const std::string& help) {
  return app.add_option(name, values, help)->delimiter(',')->capture_default_str();
}

ParamMap parse_task_params(const std::vector<std::string>& assignments) {
  ParamMap params;
  for (const auto& assignment : assignments) {
    const size_t equals = assignment.find('=');
    require(equals != std::string::npos && equals > 0, Kind::config,
            "--task-param {}: need key=value", assignment);
    params[assignment.substr(0, equals)] = {parse_value(assignment.substr(equals + 1)),
                                            "--task-param " + assignment};
  }
  return params;
}

Provenance make_provenance(const std::string& program, const SharedFlags& flags,
                           const std::string& resolved_config, const std::string& dtype) {
  Provenance provenance;
  provenance.tool = fmt::format("{} {} ({})", program, tool_version(), tool_commit());
  provenance.resolved_config = resolved_config;
  provenance.device = flags.device;
  provenance.dtype = dtype;
  provenance.seed = flags.seed;
  if (flags.has_provenance) {
    provenance.command_line = command_line();
    provenance.created_utc = utc_now();
  } else {
    provenance.tool = program;
  }
  return provenance;
}

}  // namespace kvcal
