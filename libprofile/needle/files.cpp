// SPDX-License-Identifier: Apache-2.0
// Needle files and haystack folders.
#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "dataset/json_lines.hpp"
#include "kvcal/compress/error.hpp"
#include "kvcal/profile/needle.hpp"

namespace kvcal {
namespace {

namespace fs = std::filesystem;

Needle read_needle(const JsonLine& line, size_t number) {
  Needle needle;
  needle.id = line.optional_text("id").value_or(fmt::format("needle-{}", number));
  needle.needle = line.text("needle");
  needle.question = line.text("question");
  needle.paraphrased_question = line.optional_text("paraphrased_question").value_or("");
  // CompressKV's files call the answer `real_needle`.
  const bool is_foreign = !line.object.contains("answer") && line.object.contains("real_needle");
  needle.answer = line.text(is_foreign ? "real_needle" : "answer");
  needle.decoys = line.texts("decoys");
  const std::pair<const char*, const std::string*> needed[] = {{"id", &needle.id},
                                                               {"needle", &needle.needle},
                                                               {"question", &needle.question},
                                                               {"answer", &needle.answer}};
  for (const auto& [field, value] : needed) {
    require(value->find_first_not_of(" \t\r\n") != std::string::npos, Kind::input,
            "{}: field '{}' is blank, need text", line.where, field);
  }
  return needle;
}

std::vector<fs::path> sorted_entries(const fs::path& directory) {
  std::vector<fs::path> entries;
  try {
    for (const auto& entry : fs::directory_iterator(directory)) entries.push_back(entry.path());
  } catch (const fs::filesystem_error& error) {
    fail(Kind::input, "{}: cannot be listed ({}), need a folder of .txt files", directory.string(),
         error.code().message());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::string read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  require(stream.good(), Kind::input, "{}: cannot be read", file.string());
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// Files are joined with nothing between, as the authors of CompressKV and of the first tester do.
std::string joined_texts(const fs::path& directory) {
  std::string text;
  for (const auto& entry : sorted_entries(directory)) {
    if (entry.extension() == ".txt" && fs::is_regular_file(entry)) text += read_text(entry);
  }
  return text;
}

}  // namespace

std::vector<Needle> load_needles(const fs::path& file) {
  std::vector<Needle> needles;
  std::map<std::string, std::string> seen;  // id -> where
  for (const JsonLine& line : read_json_lines(file)) {
    needles.push_back(read_needle(line, needles.size() + 1));
    const auto [first, is_new] = seen.emplace(needles.back().id, line.where);
    require(is_new, Kind::input, "{}: field 'id' is '{}', which {} has already", line.where,
            needles.back().id, first->second);
  }
  return needles;
}

std::vector<Haystack> load_haystacks(const fs::path& directory) {
  require(fs::is_directory(directory), Kind::input,
          "{}: not a folder, need one that holds .txt files", directory.string());
  std::vector<Haystack> haystacks;
  const auto add = [&haystacks](const fs::path& folder, std::string text) {
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) return;
    haystacks.push_back({folder.filename().string(), std::move(text)});
  };
  add(directory, joined_texts(directory));
  for (const auto& entry : sorted_entries(directory)) {
    if (fs::is_directory(entry)) add(entry, joined_texts(entry));
  }
  require(!haystacks.empty(), Kind::input,
          "{}: no text found, need .txt files here or one folder below", directory.string());
  return haystacks;
}

}  // namespace kvcal
