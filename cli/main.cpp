#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "cli/run.h"

namespace {

std::map<std::string, std::string> environment_variables() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace

int main(int argc, char** argv) {
  std::error_code no_directory;
  const cairn::Streams streams{.out = std::cout,
                               .err = std::cerr,
                               .terminal = ::isatty(STDERR_FILENO) == 1,
                               .host = {.variables = environment_variables(),
                                        .directory = std::filesystem::current_path(no_directory).string(),
                                        .superuser = ::geteuid() == 0}};
  const std::vector<std::string> args(argv + 1, argv + argc);
  const int code = cairn::run_cli(args, streams);
  std::cout.flush();
  return std::cout.good() ? code : 1;  // a full disk behind `> file` is a failure too
}
