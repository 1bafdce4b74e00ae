// SPDX-License-Identifier: Apache-2.0
#include "report/plot/theme.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace kvcal::report {

const Colour kPaper{"paper", "#ffffff", "#15181d"};
const Colour kInk{"ink", "#1c2128", "#e4e7eb"};
const Colour kQuiet{"quiet", "#57606a", "#a0a9b4"};
const Colour kFaint{"faint", "#8a929b", "#7d8793"};
const Colour kGrid{"grid", "#e4e7eb", "#2b313a"};

namespace {

/// Hues of Okabe and Ito (https://jfly.uni-koeln.de/color), told apart by colour-blind readers too.
/// Yellow is left out and the light ones are darker than theirs, since names are written in them on
/// white; lighter again in the dark.
const Colour kBlue{"blue", "#0069ac", "#4ba3e3"};
const Colour kVermilion{"vermilion", "#d0540a", "#ff8746"};
const Colour kGreen{"green", "#008a63", "#2cc597"};
const Colour kPurple{"purple", "#b8578f", "#e59cc4"};
const Colour kOrange{"orange", "#bf7d00", "#f5b83d"};
const Colour kSky{"sky", "#2e96d6", "#93d2f7"};
const Colour kBlack{"black", "#000000", "#ffffff"};

constexpr std::array kSeries{&kBlue, &kVermilion, &kGreen, &kPurple, &kOrange, &kSky, &kBlack};
constexpr std::array kAll{&kPaper,     &kInk,   &kQuiet,  &kFaint,  &kGrid, &kBlue,
                          &kVermilion, &kGreen, &kPurple, &kOrange, &kSky,  &kBlack};
constexpr std::array kPoints{7, 5, 9, 13, 11};  // disc, square, two triangles, diamond
constexpr std::array kDashes{1, 2, 4};          // solid, dashed, dash and dot

const std::map<std::string, Style> kControls{{"full", {&kQuiet, 7, 2}},
                                             {"random", {&kFaint, 6, 3}}};

/// viridis at twelve places, from low to high.
constexpr std::array<uint32_t, 12> kScale{0x440154, 0x482173, 0x433E85, 0x38598C,
                                          0x2D708E, 0x25858E, 0x1E9B8A, 0x2BB07F,
                                          0x51C56A, 0x85D54A, 0xC2DF23, 0xFDE725};

}  // namespace

std::span<const Colour* const> page_colours() {
  return kAll;
}

StyleBook::StyleBook(std::span<const std::string> names) : styles_(kControls) {
  size_t next = 0;
  for (const auto& name : names) {
    const size_t round = next / kSeries.size();
    const Style style{kSeries[next % kSeries.size()], kPoints[round % kPoints.size()],
                      kDashes[round % kDashes.size()]};
    if (styles_.emplace(name, style).second) ++next;
  }
}

Style StyleBook::of(const std::string& name) const {
  const auto found = styles_.find(name);
  return found == styles_.end() ? Style{} : found->second;
}

std::string shade(double value) {
  const double place = std::clamp(value, 0.0, 1.0) * (kScale.size() - 1);
  const auto below = std::min(static_cast<size_t>(place), kScale.size() - 2);
  const double rest = place - static_cast<double>(below);
  uint32_t mixed = 0;
  for (int shift : {16, 8, 0}) {
    const double a = (kScale[below] >> shift) & 0xFF, b = (kScale[below + 1] >> shift) & 0xFF;
    mixed |= static_cast<uint32_t>(std::lround(a + rest * (b - a))) << shift;
  }
  return fmt::format("#{:06x}", mixed);
}

std::string_view ink_on_shade(double value) {
  // Not quite white and black: those are colours of the page, which change in the dark.
  return value < 0.55 ? "#fdfdfd" : "#101010";
}

}  // namespace kvcal::report
