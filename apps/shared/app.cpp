// SPDX-License-Identifier: Apache-2.0
#include "shared/app.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <limits>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "kvcal/compress/error.hpp"
#include "kvcal/profile/provenance.hpp"
#include "shared/run_in_team.hpp"
#include "shared/threads.hpp"
#include "shared/yaml_flags.hpp"

namespace kvcal {
namespace {

[[gnu::section(".preinit_array"),
  gnu::used]] void (*const before_all_else)(int, char**, char**) = let_waiting_threads_sleep;

std::string typed_command_line;

std::string join_arguments(int argc, char** argv) {
  std::string line;
  for (int i = 0; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool needs_quotes = argument.find_first_of(" \t\n'\"$*?;&|<>()") != std::string::npos;
    line += fmt::format("{}{}{}{}", i > 0 ? " " : "", needs_quotes ? "'" : "", argument,
                        needs_quotes ? "'" : "");
  }
  return line;
}

int report(const std::string& name, const std::string& message, ExitCode code) {
  fmt::print(stderr, "{}: {}\n", name, message);
  return code;
}

/// Tensors of some MiB come and go all the time. By default glibc gives their pages back and the
/// system clears them again on the next touch, which took a tenth of kv-tune's time; a program ends
/// soon, and at its peak it holds them anyway.
void keep_freed_pages() {
#ifdef __GLIBC__
  constexpr int kLargestOfHeap = 32 << 20;  // what glibc allows at most
  mallopt(M_MMAP_THRESHOLD, kLargestOfHeap);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

void start_logging(const std::string& name) {
  auto logger = spdlog::stderr_color_st(name);
  logger->set_pattern("%n: %^%l%$: %v");
  spdlog::set_default_logger(logger);
}

}  // namespace

ExitCode exit_code_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& of_ours) {
    if (of_ours.kind() == Kind::config) return kUsage;
    return of_ours.kind() == Kind::internal ? kBug : kData;
  } catch (const std::filesystem::filesystem_error&) {  // a name too long, no permission
    return kData;
  } catch (const std::bad_alloc&) {
    return kData;
  } catch (...) {
    return kBug;
  }
}

std::string command_line() {
  return typed_command_line;
}

void print_result(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0) std::_Exit(kDone);  // `| head` has seen enough
}

namespace {

int run_to_its_end(int argc, char** argv, const AppInfo& info,
                   const std::function<void(CLI::App&)>& add_flags,
                   const std::function<int(CLI::App&)>& run) {
  std::signal(SIGPIPE, SIG_IGN);
  keep_freed_pages();
  typed_command_line = join_arguments(argc, argv);
  start_logging(info.name);
  CLI::App app(info.summary, info.name);
  app.footer("Examples:\n" + info.examples);
  app.set_version_flag("--version",
                       fmt::format("{} {} ({})", info.name, tool_version(), tool_commit()));
  app.get_formatter()->column_width(34);
  try {
    add_flags(app);
    app.parse(argc, argv);
    return run(app);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    if (!speaks_for_all()) return kUsage;
    return report(info.name, fmt::format("{} (see {} --help)", error.what(), info.name), kUsage);
  } catch (const Error& error) {
    return report(info.name, error.what(), exit_code_of(std::current_exception()));
  } catch (const std::filesystem::filesystem_error& error) {
    return report(info.name, error.what(), kData);
  } catch (const std::bad_alloc&) {
    return report(info.name, "out of memory", kData);
  } catch (const std::exception& error) {
    return report(info.name, fmt::format("bug: {}", error.what()), kBug);
  }
}

/// Without the destructors of the operators that LibTorch has registered: a twelfth of a second.
/// What is ours has ended by now.
void leave(int code) {
  std::fflush(nullptr);
#ifndef __SANITIZE_ADDRESS__  // looks for leaks at the end
  std::_Exit(code);
#endif
}

}  // namespace

int run_app(int argc, char** argv, const AppInfo& info,
            const std::function<void(CLI::App&)>& add_flags,
            const std::function<int(CLI::App&)>& run) {
  const int code = run_to_its_end(argc, argv, info, add_flags, run);
  leave(code);
  return code;
}

}  // namespace kvcal
