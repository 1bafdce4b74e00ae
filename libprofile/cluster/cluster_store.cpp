// SPDX-License-Identifier: Apache-2.0
#include "cluster/cluster_store.hpp"

#include <c10/util/Exception.h>
#include <c10/util/Logging.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "kvcal/compress/error.hpp"

namespace kvcal {
namespace {

using std::chrono::milliseconds, std::chrono::seconds, std::chrono::steady_clock;

constexpr seconds kRootAppears{300};  // processes of a job start minutes apart
constexpr milliseconds kBetweenTries{200};
constexpr size_t kPieceBytes = size_t{4} << 20;  // the store takes 8 MiB at most

/// c10d reports every try to connect with a stack trace; what matters is said by our errors.
void silence_c10d() {
  if (setenv("TORCH_CPP_LOG_LEVEL", "FATAL", 0) == 0) c10::initLogging();
}

bool can_connect(const Rendezvous& to) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &found) != 0) {
    return false;
  }
  bool connects = false;
  for (const addrinfo* at = found; at != nullptr && !connects; at = at->ai_next) {
    const int socket = ::socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (socket < 0) continue;
    connects = ::connect(socket, at->ai_addr, at->ai_addrlen) == 0;
    ::close(socket);
  }
  freeaddrinfo(found);
  return connects;
}

void wait_for_root(const Rendezvous& root) {
  const auto end = steady_clock::now() + kRootAppears;
  while (!can_connect(root)) {
    require(steady_clock::now() < end, Kind::input,
            "{}: rank 0 was not found there in {} s; did it start? --rendezvous HOST:PORT says "
            "where it is",
            root.text(), kRootAppears.count());
    std::this_thread::sleep_for(kBetweenTries);
  }
}

c10::intrusive_ptr<c10d::Store> connect(const Launch& launch, bool hosts) {
  c10d::TCPStoreOptions options;
  options.port = launch.rendezvous.port;
  options.isServer = hosts;
  options.waitWorkers = false;
  options.timeout = kRootAppears;
  try {
    return c10::make_intrusive<c10d::PrefixStore>(
        "kvcal/" + launch.attempt,
        c10::make_intrusive<c10d::TCPStore>(launch.rendezvous.host, options));
  } catch (const c10::Error& error) {
    fail(Kind::input, "{}: {}: {}; --rendezvous HOST:PORT chooses another",
         launch.rendezvous.text(), hosts ? "cannot listen there" : "rank 0 does not answer",
         error.what_without_backtrace());
  }
}

}  // namespace

struct ClusterStore::Impl {
  Launch launch;
  c10::intrusive_ptr<c10d::Store> store;

  /// Says it in our words when the other end is gone.
  template <class Call>
  auto ask(Call&& call) {
    try {
      return call(*store);
    } catch (const c10::Error&) {
      fail(Kind::input,
           "rank 0 at {} is gone; what it had finished is kept beside its output, --resume goes on",
           launch.rendezvous.text());
    }
  }
};

ClusterStore ClusterStore::open(const Launch& launch) {
  silence_c10d();
  const bool hosts = launch.is_root() && !launch.has_store;
  if (!hosts) wait_for_root(launch.rendezvous);
  return ClusterStore(std::make_shared<Impl>(Impl{launch, connect(launch, hosts)}));
}

ClusterStore ClusterStore::in_memory() {
  auto impl = std::make_shared<Impl>();
  impl->store = c10::make_intrusive<c10d::HashStore>();
  return ClusterStore(std::move(impl));
}

ClusterStore ClusterStore::another() const {
  if (impl_->launch.size == 1) return *this;
  return ClusterStore(std::make_shared<Impl>(Impl{impl_->launch, connect(impl_->launch, false)}));
}

std::optional<std::string> ClusterStore::find(const std::string& key) {
  return impl_->ask([&](c10d::Store& store) -> std::optional<std::string> {
    if (!store.check({key})) return std::nullopt;
    return store.get_to_str(key);
  });
}

void ClusterStore::set(const std::string& key, const std::string& value) {
  impl_->ask([&](c10d::Store& store) { store.set(key, value); });
}

void ClusterStore::remove(const std::string& key) {
  impl_->ask([&](c10d::Store& store) { store.deleteKey(key); });
}

int64_t ClusterStore::add(const std::string& key, int64_t summand) {
  return impl_->ask([&](c10d::Store& store) { return store.add(key, summand); });
}

bool ClusterStore::replace(const std::string& key, const std::string& expected,
                           const std::string& value) {
  return impl_->ask(
      [&](c10d::Store& store) { return store.compareSet(key, expected, value) == value; });
}

std::string ClusterStore::set_bytes(const std::string& key, const std::string& bytes) {
  size_t pieces = 0;
  for (size_t begin = 0; begin < bytes.size(); begin += kPieceBytes) {
    set(fmt::format("{}/{}", key, pieces++), bytes.substr(begin, kPieceBytes));
  }
  // Writes are not answered, reads of the same connection come after them: who has the receipt
  // finds all pieces.
  impl_->ask([&](c10d::Store& store) { return store.check({key}); });
  return std::to_string(pieces);
}

std::string ClusterStore::find_bytes(const std::string& key, const std::string& receipt) {
  std::string bytes;
  for (size_t piece = 0; piece < std::stoul(receipt); ++piece) {
    const auto found = find(fmt::format("{}/{}", key, piece));
    require(found.has_value(), Kind::internal, "piece {} of {} is gone", piece, key);
    bytes += *found;
  }
  return bytes;
}

void ClusterStore::remove_bytes(const std::string& key, const std::string& receipt) {
  for (size_t piece = 0; piece < std::stoul(receipt); ++piece) {
    remove(fmt::format("{}/{}", key, piece));
  }
}

}  // namespace kvcal
