// SPDX-License-Identifier: Apache-2.0
// Seal: a line with the file's SHA-256 behind the end of an HDF5 file. HDF5 ignores it, and drops
// it when another program changes the file. So a seal that does not fit means damage, and no seal
// means that somebody else wrote: such files are read too. Needed because HDF5 1.10 does not check
// the heap of its texts and crashes on a damaged one.
#pragma once

#include <filesystem>

namespace kvcal {

/// Appends the line.
/// @return  false: not written, the reason is in errno
bool seal(const std::filesystem::path& file);

/// @throws Error{input} sealed, and changed since
void require_unbroken_seal(const std::filesystem::path& file);

}  // namespace kvcal
