// outboxd: the relay. See docs/operations.md.
//
// Exit status: 0 stopped in order, or the configuration is good (--check); 1 could not start; 2 the
// command line or the configuration is bad.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <utility>

#include "tools/config_file.h"
#include "tools/control_server.h"
#include "tools/daemon.h"
#include "tools/source_addresses.h"

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
  outbox::tools::LoadedConfig loaded = outbox::tools::LoadConfig(config_file);
  for (const std::string& error : loaded.errors) std::fprintf(stderr, "%s\n", error.c_str());
  if (loaded.config == nullptr) return 2;
  for (const std::string& missing : outbox::tools::MissingAddresses(*loaded.config)) {
    std::fprintf(stderr, "%s: warning: %s\n", config_file.c_str(), missing.c_str());
  }
  if (check) {
    std::printf("%s: good\n", config_file.c_str());
    return 0;
  }
  // Who reads our standard error may go before us: lines are lost then, and counted.
  std::signal(SIGPIPE, SIG_IGN);
  outbox::tools::Daemon daemon(config_file, loaded.config, std::move(loaded.tls));
  return daemon.Run();
}
