// SPDX-License-Identifier: Apache-2.0
#include "shared/output.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace kvcal {

OutputMode output_mode(const SharedFlags& flags) {
  if (flags.is_resume) return OutputMode::resume;
  return flags.is_force ? OutputMode::force : OutputMode::fresh;
}

std::string scratch_output() {
  return (std::filesystem::temp_directory_path() / fmt::format("kvcal-{}.h5", getpid())).string();
}

void write_text_file(const std::filesystem::path& file, std::string_view text) {
  std::filesystem::path aside = file;
  aside += ".tmp";
  errno = 0;
  std::ofstream stream(aside, std::ios::binary);
  stream << text;
  stream.close();
  require(stream.good(), Kind::input, "{}: cannot write: {}", file.string(), std::strerror(errno));
  std::error_code error;
  std::filesystem::rename(aside, file, error);
  require(!error, Kind::input, "{}: cannot write: {}", file.string(), error.message());
}

}  // namespace kvcal
