// SPDX-License-Identifier: Apache-2.0
// Output files of the programs.
#pragma once

#include <filesystem>
#include <string_view>

#include "kvcal/profile/shards.hpp"
#include "shared/flags.hpp"

namespace kvcal {

OutputMode output_mode(const SharedFlags& flags);

/// Takes a unit from its shard; makes the shard first when it is absent or damaged.
/// @param make  does the work and writes the shard
/// @return  it was made now
bool take_unit(Shards& shards, int64_t unit, const std::function<void()>& make,
               const std::function<void(const Hdf5Reader&)>& take);

/// A name under the temporary directory for a run without --output.
std::string scratch_output();

/// Written aside and renamed. @throws Error{input} not writable
void write_text_file(const std::filesystem::path& file, std::string_view text);

}  // namespace kvcal
