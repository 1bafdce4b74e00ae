// SPDX-License-Identifier: Apache-2.0
// Running gnuplot. Scripts come from us, names inside them from anywhere: quote them.
#pragma once

#include <string>
#include <string_view>

namespace kvcal::report {

/// @param asked_by  what needs it, e.g. "--plot a.svg"
/// @throws Error{config} gnuplot is not installed, naming the package
void require_gnuplot(std::string_view asked_by);

/// A string literal of gnuplot that stands for `text`, whatever it holds: in double quotes, with
/// all but plain characters as octal escapes, so that gnuplot sees no quote, no backslash and none
/// of the backquotes whose content it would run. (Its single quotes cannot begin with a quote.)
/// Control characters become spaces, bytes that are not UTF-8 become U+FFFD.
std::string gnuplot_text(std::string_view text);

/// The same for the name of a tick, which gnuplot takes for a format of numbers.
std::string gnuplot_tick(std::string_view text);

/// @param what  the drawing, for the error
/// @throws Error{input} gnuplot refused or could not write: its own first line is quoted
void run_gnuplot(const std::string& script, std::string_view what);

}  // namespace kvcal::report
