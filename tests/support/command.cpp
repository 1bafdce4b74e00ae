// SPDX-License-Identifier: Apache-2.0
#include "support/command.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "kvcal/compress/error.hpp"
#include "support/paths.hpp"

namespace kvcal::test {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& extra) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) all[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : extra) all[name] = value;
  std::vector<std::string> lines;
  for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::string read_all(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// Starts the program with its three streams on the files 0, 1 and 2 of `streams`.
pid_t start(const Command& command, const fs::path& streams) {
  // `timeout` of coreutils ends the whole process group, children of a shell included.
  std::vector<std::string> arguments = {"timeout", "--kill-after=5",
                                        std::to_string(command.timeout_seconds)};
  arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
  std::vector<std::string> environment = merged_environment(command.environment);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (!command.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, command.directory.c_str());
  }
  for (int stream = 0; stream < 3; ++stream) {
    const int flags = stream == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC;
    const std::string file = (streams / std::to_string(stream)).string();
    posix_spawn_file_actions_addopen(&actions, stream, file.c_str(), flags, 0600);
  }
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, "timeout", &actions, nullptr, pointers(arguments).data(),
                                 pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  require(error == 0, Kind::internal, "cannot start 'timeout': {}", std::strerror(error));
  return pid;
}

}  // namespace

Outcome run(const Command& command) {
  require(!command.arguments.empty(), Kind::internal, "an empty command cannot be run");
  const fs::path streams = scratch_dir();
  std::ofstream(streams / "0", std::ios::binary) << command.stdin_text;
  const pid_t pid = start(command, streams);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    require(errno == EINTR, Kind::internal, "waitpid: {}", std::strerror(errno));
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_all(streams / "1"),
          read_all(streams / "2")};
}

}  // namespace kvcal::test
