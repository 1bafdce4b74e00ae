// SPDX-License-Identifier: Apache-2.0
// A command that several processes run together, or one alone.
#pragma once

#include <functional>

#include "kvcal/profile/team.hpp"
#include "shared/flags.hpp"

namespace kvcal {

/// Finds the other processes of the launch, runs, and returns rank 0's exit code on all of them.
/// Rank 0 alone writes files, prints results and reports errors; another rank says what kept it
/// from taking part, unless rank 0 met the same.
int run_in_team(const SharedFlags& flags, const std::function<int(Team&)>& run);

/// A usage error is the same for all processes of a launch: the first one prints it.
bool speaks_for_all();

}  // namespace kvcal
