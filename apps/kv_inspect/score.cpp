// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <nlohmann/json.hpp>

#include "kv_inspect/commands.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/metric.hpp"
#include "shared/app.hpp"

namespace kvcal {
namespace {

struct ScoreFlags {
  std::string file, metric;
};

double score_line(const std::string& line, const MetricInfo& metric, const std::string& where) {
  try {
    const auto json = nlohmann::json::parse(line);
    const auto prediction = json.at("prediction").get<std::string>();
    const auto references = json.at("references").get<std::vector<std::string>>();
    std::vector<std::string> classes;
    if (json.contains("all_classes") && !json["all_classes"].is_null()) {
      classes = json["all_classes"].get<std::vector<std::string>>();
    }
    return metric.score({prediction, references, classes});
  } catch (const nlohmann::json::exception& error) {
    fail(Kind::input, "{}: need {{\"prediction\", \"references\"}}: {}", where, error.what());
  }
}

int score_file(const ScoreFlags& flags) {
  const auto& metric = find_metric(flags.metric);
  std::ifstream stream(flags.file);
  require(stream.good(), Kind::input, "{}: cannot read", flags.file);
  std::string text, line;
  double sum = 0;
  int64_t count = 0;
  for (int64_t number = 1; std::getline(stream, line); ++number) {
    if (line.empty()) continue;
    const double score = score_line(line, metric, fmt::format("{}:{}", flags.file, number));
    text += fmt::format("{}\n", score);
    sum += score;
    ++count;
  }
  require(count > 0, Kind::input, "{}: no predictions", flags.file);
  print_result(text + fmt::format("mean {} (n = {})\n", sum / static_cast<double>(count), count));
  return kDone;
}

}  // namespace

void add_score_command(CLI::App& app, Command& chosen) {
  auto* command =
      app.add_subcommand("score", "metric of each prediction in a JSONL, then the mean");
  auto flags = std::make_shared<ScoreFlags>();
  command->add_option("FILE", flags->file, "one {\"prediction\", \"references\"} a line")
      ->required();
  command->add_option("--metric", flags->metric, "e.g. qa_f1_score")->required();
  command->callback([&chosen, flags] { chosen = [flags] { return score_file(*flags); }; });
}

}  // namespace kvcal
