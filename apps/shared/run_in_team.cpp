// SPDX-License-Identifier: Apache-2.0
#include "shared/run_in_team.hpp"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "shared/app.hpp"

namespace kvcal {
namespace {

/// How long rank 0 may take to end with the error that another rank has met already.
constexpr std::chrono::seconds kSameError{5};

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "?";
}

void name_in_log(const Launch& launch) {
  auto logger = spdlog::default_logger()->clone(
      fmt::format("{}[{}]", spdlog::default_logger()->name(), launch.rank));
  if (!launch.is_root() && logger->level() == spdlog::level::info) {
    logger->set_level(spdlog::level::warn);
  }
  spdlog::set_default_logger(logger);
  spdlog::debug("rank {} of {} on {}, started by {}, rank 0 at {}", launch.rank, launch.size,
                host_name(), launch.launcher, launch.rendezvous.text());
}

/// Processes of one machine divide its cores, unless --threads says how many each takes.
void share_cores(const SharedFlags& flags, const Launch& launch) {
  if (flags.threads > 0 || launch.local_size <= 1) return;
  const auto share = std::max<int64_t>(1, sysconf(_SC_NPROCESSORS_ONLN) / launch.local_size);
  at::set_num_threads(static_cast<int>(std::min<int64_t>(share, at::get_num_threads())));
}

int run_as_root(Team& team, const std::function<int(Team&)>& run) {
  try {
    const int code = run(team);
    if (!team.is_alone()) {
      spdlog::debug("prompts by rank: {}", fmt::join(team.units_by_rank(), ", "));
    }
    team.conclude(code);
    return code;
  } catch (...) {
    team.conclude(exit_code_of(std::current_exception()));
    throw;
  }
}

int run_as_other(Team& team, const std::function<int(Team&)>& run) {
  try {
    run(team);
  } catch (const TeamEnded& ended) {
    spdlog::debug("rank 0 ended the run with {}", ended.exit_code);
  } catch (const std::exception& error) {
    team.retire();
    const auto code = team.follow(kSameError);
    const bool has_rank_0_said_it = code && *code != kDone && *code != kGateFailed;
    if (!has_rank_0_said_it) spdlog::warn("takes no part on {}: {}", host_name(), error.what());
    if (code) return *code;
  }
  return team.follow().value();
}

}  // namespace

int run_in_team(const SharedFlags& flags, const std::function<int(Team&)>& run) {
  const auto launch = Launch::from_environment(process_environment(), flags.rendezvous);
  if (launch.size > 1) name_in_log(launch);
  share_cores(flags, launch);
  const auto lease = std::chrono::duration<double>(flags.lease_seconds);
  Team team(launch, std::chrono::duration_cast<std::chrono::milliseconds>(lease));
  return team.is_root() ? run_as_root(team, run) : run_as_other(team, run);
}

bool speaks_for_all() {
  try {
    return Launch::from_environment(process_environment(), "unused:1").is_root();
  } catch (const Error&) {
    return true;
  }
}

}  // namespace kvcal
