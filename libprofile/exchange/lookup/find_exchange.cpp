// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/exchange.hpp"

namespace kvcal {
namespace {

std::string kind_for(const ExchangeInfo& format, const std::string& kind) {
  require(kind.empty() || !format.default_kind.empty(), Kind::config,
          "kind '{}': format {} holds no head scores, need none", kind, format.name);
  return kind.empty() ? std::string(format.default_kind) : kind;
}

}  // namespace

const ExchangeInfo& find_exchange(std::string_view name) {
  std::vector<std::string> known;
  for (const ExchangeInfo* format : exchange_table()) {
    if (format->name == name) return *format;
    known.emplace_back(format->name);
  }
  fail(Kind::config, "no format '{}'{} (known: {})", name, nearest_hint(name, known),
       fmt::join(known, ", "));
}

std::string import_file(const ExchangeInfo& format, const std::filesystem::path& file,
                        const std::string& kind, Profile& profile) {
  return format.read(file, kind_for(format, kind), profile);
}

std::vector<ExportedFile> export_files(const ExchangeInfo& format, const Profile& profile,
                                       const std::string& kind) {
  return format.write(profile, kind_for(format, kind));
}

}  // namespace kvcal
