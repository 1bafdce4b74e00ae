// SPDX-License-Identifier: Apache-2.0
// Exchange: files of other projects, into a profile and out of it. One file each in exchange/,
// found by the build as methods are (see adding-a-method.md). Not for our own formats.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvcal/profile/profile.hpp"

namespace kvcal {

struct ExportedFile {
  std::string name;  ///< as the other project calls it
  std::string text;
};

struct ExchangeInfo {
  std::string_view name;     ///< e.g. "headkv"
  std::string_view summary;  ///< one line
  /// Of the head scores that the file holds; empty: it holds none.
  std::string_view default_kind;
  /// Replaces the part of the profile; the profile's model says what geometry is right.
  /// @return  what was stored, for people
  std::string (*read)(const std::filesystem::path& file, const std::string& kind, Profile& profile);
  std::vector<ExportedFile> (*write)(const Profile& profile, const std::string& kind);
};

std::span<const ExchangeInfo* const> exchange_table();

/// @throws Error{config} unknown name: lists the known ones and the nearest
const ExchangeInfo& find_exchange(std::string_view name);

/// Reads a file of another project into a profile.
///
/// @param kind  of the head scores; empty: the format's own
/// @return  what was stored, for people
/// @throws Error{config} a kind for a format without head scores
/// @throws Error{input} unreadable, not of the format, another geometry, a number out of range;
///         the profile is as before
std::string import_file(const ExchangeInfo& format, const std::filesystem::path& file,
                        const std::string& kind, Profile& profile);

/// The other way.
/// @throws Error{config} as above, or the profile lacks the part
std::vector<ExportedFile> export_files(const ExchangeInfo& format, const Profile& profile,
                                       const std::string& kind);

}  // namespace kvcal
