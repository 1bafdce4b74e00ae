// SPDX-License-Identifier: Apache-2.0
// Launch: which process of how many this is, and where rank 0 is found, as torchrun, mpirun, srun
// or whoever started it says in the environment. Not for talking to the others: see team.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace kvcal {

/// Where rank 0 listens.
struct Rendezvous {
  std::string host;
  uint16_t port = 0;

  std::string text() const;  ///< "host:port"
  /// @throws Error{config} not HOST:PORT; @param origin  begins the message, e.g. "--rendezvous"
  static Rendezvous parse(std::string_view text, std::string_view origin);
};

/// Looks up a variable of the environment.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

struct Launch {
  std::string launcher = "none";
  int64_t rank = 0, size = 1;
  int64_t local_rank = 0, local_size = 1;  ///< among the processes on this machine
  Rendezvous rendezvous;                   ///< empty when size = 1
  /// The launcher keeps a store at the rendezvous itself, so that rank 0 need not.
  bool has_store = false;
  std::string attempt = "0";  ///< counts restarts by the launcher; of a store that outlives them

  bool is_root() const { return rank == 0; }

  /// @param rendezvous  HOST:PORT that wins over what the environment says, or empty
  /// @return  a single process where no launcher is recognised
  /// @throws Error{config}  numbers that are none; several processes whose rank 0 cannot be found
  static Launch from_environment(const Environment& environment, const std::string& rendezvous);
};

/// "cuda" is a device for each process of a machine, in turn; anything else is what it says.
std::string device_of(const Launch& launch, const std::string& device);

}  // namespace kvcal
