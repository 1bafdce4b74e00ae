// SPDX-License-Identifier: Apache-2.0
#include "report/plot/gnuplot.hpp"

#include <fmt/format.h>
#include <stdlib.h>  // NOLINT: mkstemp is POSIX
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "kvcal/compress/error.hpp"
#include "report/text/escape.hpp"

namespace kvcal::report {
namespace {

/// The script in a file of its own, for as long as gnuplot reads it.
class ScriptFile {
 public:
  explicit ScriptFile(const std::string& script) {
    std::string name = (std::filesystem::temp_directory_path() / "kvcal-plot-XXXXXX").string();
    const int file = mkstemp(name.data());
    require(file >= 0, Kind::input, "{}: cannot write a script for gnuplot there", name);
    close(file);
    path_ = name;
    std::ofstream stream(path_, std::ios::binary);
    stream << script;
    stream.close();
    require(stream.good(), Kind::input, "{}: cannot write", name);
  }
  ~ScriptFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  ScriptFile(const ScriptFile&) = delete;
  ScriptFile& operator=(const ScriptFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (char c : text) {
    if (c == '\'') word += "'\\'";
    word += c;
  }
  word += '\'';
  return word;
}

/// gnuplot repeats the line of the script and points into it; the reason stands behind the place.
std::string reason_of(const std::string& output) {
  const size_t place = output.find("line ");
  const size_t reason = place == std::string::npos ? place : output.find(": ", place);
  std::string text = reason == std::string::npos ? output : output.substr(reason + 2);
  text = text.substr(0, text.find('\n'));
  return text.empty() ? "no reason given" : text;
}

}  // namespace

void require_gnuplot(std::string_view asked_by) {
  require(std::system("command -v gnuplot >/dev/null 2>&1") == 0, Kind::config,
          "{}: gnuplot is not installed (Debian: gnuplot-nox)", asked_by);
}

std::string gnuplot_text(std::string_view text) {
  constexpr std::string_view kPlain = " _.,:;/()[]{}<>=+-*&|!?%@#^~";
  std::string quoted = "\"";
  bool is_after_escape = false;
  for (char c : printable(text)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_plain = byte >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          is_digit || kPlain.find(c) != std::string_view::npos;
    // A digit behind an escape would be taken for a part of it.
    is_after_escape = !is_plain || (is_digit && is_after_escape);
    quoted += is_after_escape ? fmt::format("\\{:03o}", byte) : std::string(1, c);
  }
  quoted += '"';
  return quoted;
}

std::string gnuplot_tick(std::string_view text) {
  std::string doubled;
  for (char c : text) doubled.append(c == '%' ? 2 : 1, c);
  return gnuplot_text(doubled);
}

void run_gnuplot(const std::string& script, std::string_view what) {
  const ScriptFile file(script);
  // -d: settings of the user's own gnuplotrc do not belong into our plots.
  const auto command = fmt::format("gnuplot -d {} 2>&1", shell_word(file.path().string()));
  FILE* gnuplot = popen(command.c_str(), "r");
  require(gnuplot != nullptr, Kind::config, "{}: gnuplot cannot be started", what);
  std::string output;
  std::array<char, 4096> buffer{};
  while (const size_t bytes = std::fread(buffer.data(), 1, buffer.size(), gnuplot)) {
    output.append(buffer.data(), bytes);
  }
  require(pclose(gnuplot) == 0, Kind::input, "{}: gnuplot failed: {}", what, reason_of(output));
}

}  // namespace kvcal::report
