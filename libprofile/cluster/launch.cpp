// SPDX-License-Identifier: Apache-2.0
#include "kvcal/profile/launch.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

/// Variables in which a launcher tells a process who it is.
struct LauncherInfo {
  const char* name;
  const char* rank;
  const char* size;
  const char* local_rank;
  const char* local_size;
  /// What differs between runs at the same time and is the same for all processes of one.
  std::array<const char*, 2> job;
};

/// The first whose rank and size are both set. An mpirun inside a Slurm job starts its daemons with
/// srun, whose variables the processes then see as well; so Slurm comes last. SLURM_STEP_NUM_TASKS
/// is set by srun alone, SLURM_NTASKS in a batch script too, which is a single process.
constexpr std::array kLaunchers{
    LauncherInfo{"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", {}},
    LauncherInfo{"Open MPI",
                 "OMPI_COMM_WORLD_RANK",
                 "OMPI_COMM_WORLD_SIZE",
                 "OMPI_COMM_WORLD_LOCAL_RANK",
                 "OMPI_COMM_WORLD_LOCAL_SIZE",
                 {"OMPI_MCA_ess_base_jobid", "PMIX_NAMESPACE"}},
    LauncherInfo{"PMI", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", {}},
    LauncherInfo{"Slurm",
                 "SLURM_PROCID",
                 "SLURM_STEP_NUM_TASKS",
                 "SLURM_LOCALID",
                 "SLURM_STEP_TASKS_PER_NODE",
                 {"SLURM_JOB_ID", "SLURM_STEP_ID"}},
};
constexpr const LauncherInfo& kSlurm = kLaunchers.back();

constexpr int64_t kFirstPort = 20000, kPorts = 10000;  // below those that systems hand out

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole ? std::optional(value) : std::nullopt;
}

/// Slurm says "2(x3)": two on each of three machines.
int64_t leading_number(std::string_view text) {
  int64_t value = 1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

int64_t number(const Environment& environment, const char* name, int64_t least, int64_t most) {
  const std::string text = environment(name).value_or("");
  const auto value = whole_number(text);
  require(value && *value >= least && *value <= most, Kind::config,
          "{} = '{}' in the environment, need a whole number from {} to {}", name, text, least,
          most);
  return *value;
}

/// Without a word of the launcher, its process id: it is the parent of all on one machine.
uint16_t port_of_job(const Environment& environment, const LauncherInfo& launcher) {
  std::string job;
  for (const auto* name : launcher.job) {
    if (name != nullptr) job += environment(name).value_or("") + "/";
  }
  if (job.find_first_not_of('/') == std::string::npos) job = std::to_string(getppid());
  uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const unsigned char byte : job) hash = (hash ^ byte) * 1099511628211ULL;
  return static_cast<uint16_t>(kFirstPort + static_cast<int64_t>(hash % kPorts));
}

/// "gpu[03-05,9],cpu1" -> "gpu03"
std::string first_host(const std::string& node_list) {
  const size_t end = node_list.find_first_of("[,");
  if (end == std::string::npos || node_list[end] == ',') return node_list.substr(0, end);
  const size_t number_end = node_list.find_first_of("-,]", end);
  const size_t close = node_list.find(']', end);
  require(number_end != std::string::npos && close != std::string::npos, Kind::config,
          "SLURM_STEP_NODELIST = '{}' in the environment is no list of hosts", node_list);
  const size_t next = std::min(node_list.find(',', close), node_list.size());
  return node_list.substr(0, end) + node_list.substr(end + 1, number_end - end - 1) +
         node_list.substr(close + 1, next - close - 1);
}

Rendezvous find_rendezvous(const Environment& environment, const LauncherInfo& launcher,
                           int64_t size, const std::string& given) {
  if (!given.empty()) return Rendezvous::parse(given, "--rendezvous");
  if (const auto text = environment("KVCAL_RENDEZVOUS")) {
    return Rendezvous::parse(*text, "KVCAL_RENDEZVOUS");
  }
  const auto address = environment("MASTER_ADDR"), port = environment("MASTER_PORT");
  if (address && port) return Rendezvous::parse(*address + ":" + *port, "MASTER_ADDR, MASTER_PORT");
  const auto local_size = environment(launcher.local_size);
  if (local_size && whole_number(*local_size) == size) {
    return {"127.0.0.1", port_of_job(environment, launcher)};
  }
  if (const auto nodes = environment("SLURM_STEP_NODELIST")) {
    return {first_host(*nodes), port_of_job(environment, kSlurm)};
  }
  fail(Kind::config,
       "{} started {} processes on several machines and does not say where the first one is: "
       "--rendezvous HOST:PORT, or KVCAL_RENDEZVOUS in the environment of all",
       launcher.name, size);
}

}  // namespace

std::string Rendezvous::text() const {
  return fmt::format("{}:{}", host, port);
}

Rendezvous Rendezvous::parse(std::string_view text, std::string_view origin) {
  const size_t colon = text.rfind(':');
  const auto port =
      colon == std::string_view::npos ? std::nullopt : whole_number(text.substr(colon + 1));
  require(port && *port >= 1 && *port <= 65535 && colon > 0, Kind::config,
          "{}: '{}', need HOST:PORT, e.g. node1:29400", origin, text);
  std::string host(text.substr(0, colon));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);  // an IPv6 address
  }
  return {host, static_cast<uint16_t>(*port)};
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Launch Launch::from_environment(const Environment& environment, const std::string& rendezvous) {
  const auto found = std::find_if(kLaunchers.begin(), kLaunchers.end(), [&](const auto& launcher) {
    return environment(launcher.rank) && environment(launcher.size);
  });
  Launch launch;
  if (found == kLaunchers.end()) return launch;
  constexpr int64_t kMostProcesses = 1 << 20;
  launch.size = number(environment, found->size, 1, kMostProcesses);
  launch.rank = number(environment, found->rank, 0, launch.size - 1);
  if (environment(found->local_rank)) {
    launch.local_rank = number(environment, found->local_rank, 0, launch.size - 1);
  }
  launch.local_size = leading_number(environment(found->local_size).value_or("1"));
  launch.launcher = found->name;
  if (launch.size == 1) return launch;
  launch.rendezvous = find_rendezvous(environment, *found, launch.size, rendezvous);
  launch.has_store =
      rendezvous.empty() && environment("TORCHELASTIC_USE_AGENT_STORE") == std::string("True");
  launch.attempt = environment("TORCHELASTIC_RESTART_COUNT").value_or("0");
  return launch;
}

std::string device_of(const Launch& launch, const std::string& device) {
  return device == "cuda" ? fmt::format("cuda:{}", launch.local_rank) : device;
}

}  // namespace kvcal
