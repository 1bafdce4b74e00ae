// SPDX-License-Identifier: Apache-2.0
#include "shared/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace kvcal {
namespace {

constexpr int64_t kBarCells = 24;

size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

std::string bar(int64_t done, int64_t total) {
  const int64_t filled = total > 0 ? done * kBarCells / total : kBarCells;
  return fmt::format("[{:#<{}}{:.<{}}]", "", filled, "", kBarCells - filled);
}

std::string clock(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}m{:02}s", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress(std::string label, int64_t total, bool is_quiet)
    : label_(std::move(label)),
      total_(total),
      is_quiet_(is_quiet),
      is_terminal_(isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (!is_quiet_ && is_terminal_ && done_ > 0) fmt::print(stderr, "\n");
}

std::string Progress::time_left() const {
  if (done_now_ == 0) return "";
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
  const double left =
      spent.count() / static_cast<double>(done_now_) * static_cast<double>(total_ - done_);
  return fmt::format(", {} left", clock(left));
}

void Progress::step(const std::string& estimate, bool is_new) {
  ++done_;
  if (is_new) ++done_now_;
  if (is_quiet_) return;
  const std::string counts = fmt::format("{}/{}{}", done_, total_, time_left());
  if (!is_terminal_) {
    if (is_new) fmt::print(stderr, "{} {}  {}\n", label_, counts, estimate);
    return;
  }
  std::string line = fmt::format("{} {} {}  {}", label_, bar(done_, total_), counts, estimate);
  line.resize(std::min(line.size(), terminal_columns() - 1));
  fmt::print(stderr, "\r\033[K{}", line);
}

}  // namespace kvcal
