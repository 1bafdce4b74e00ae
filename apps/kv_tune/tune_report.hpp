// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kvcal/profile/tune.hpp"

namespace kvcal {

std::string tuned_as_table(const std::vector<TunedSpace>& spaces, const std::string& profile);
std::string tuned_as_json(const std::vector<TunedSpace>& spaces);

}  // namespace kvcal
