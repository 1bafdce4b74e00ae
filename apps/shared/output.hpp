// SPDX-License-Identifier: Apache-2.0
// Output files of the programs.
#pragma once

#include <filesystem>
#include <string_view>

#include "kvcal/profile/shards.hpp"
#include "shared/flags.hpp"

namespace kvcal {

OutputMode output_mode(const SharedFlags& flags);

/// A name under the temporary directory for a run without --output.
std::string scratch_output();

/// Written aside and renamed. @throws Error{input} not writable
void write_text_file(const std::filesystem::path& file, std::string_view text);

}  // namespace kvcal
