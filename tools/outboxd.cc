// outboxd: the relay. See docs/operations.md.
//
// Exit status: 0 stopped in order, or the configuration is good (--check); 1 could not start; 2 the
// command line or the configuration is bad.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "core/config.h"
#include "core/limits.h"
#include "tools/control_server.h"
#include "tools/daemon.h"

namespace {

// The text of a file of at most kConfigFileBytes; errors are printed.
bool ReadFile(const std::string& path, std::string* text) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) {
    std::fprintf(stderr, "%s: cannot be read: %s\n", path.c_str(), std::strerror(errno));
    return false;
  }
  text->resize(outbox::core::kConfigFileBytes + 1);
  const size_t size = std::fread(text->data(), 1, text->size(), file);
  const bool failed = std::ferror(file) != 0;
  std::fclose(file);
  if (failed || size > outbox::core::kConfigFileBytes) {
    std::fprintf(stderr, "%s: cannot be read: %s\n", path.c_str(),
                 failed ? std::strerror(errno) : "larger than 16 MiB, expected a configuration");
    return false;
  }
  text->resize(size);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  outbox::tools::ControlServer::BlockSignals();
  CLI::App app("outboxd, an outbound mail relay");
  std::string config_file = "/etc/outbox/outbox.toml";
  bool check = false;
  app.add_option("--config", config_file, "configuration file (TOML)")->capture_default_str();
  app.add_flag("--check", check, "check the configuration and exit: 0 good, 2 bad");
  app.set_version_flag("--version", "outboxd " OUTBOX_VERSION);
  app.footer(
      "Example:\n  outboxd --check --config /etc/outbox/outbox.toml && "
      "outboxd --config /etc/outbox/outbox.toml");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::string text;
  if (!ReadFile(config_file, &text)) return 2;
  outbox::core::ConfigResult parsed = outbox::core::ParseConfig(text, config_file);
  for (const std::string& error : parsed.errors) std::fprintf(stderr, "%s\n", error.c_str());
  if (!parsed.ok()) return 2;
  if (check) {
    std::printf("%s: good\n", config_file.c_str());
    return 0;
  }
  outbox::tools::Daemon daemon(std::move(parsed.config));
  return daemon.Run();
}
