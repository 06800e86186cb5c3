// `outbox dkim`: makes keys, and prints what is to be published of those that sign. It needs no
// daemon.
#ifndef OUTBOX_TOOLS_OUTBOX_DKIM_H_
#define OUTBOX_TOOLS_OUTBOX_DKIM_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "core/status.h"

namespace outbox::tools {

struct DkimArguments {
  std::string config = "/etc/outbox/outbox.toml";
  std::string domain;
  std::string selector;
  std::string type = "rsa";
  uint32_t bits = 2048;
  std::string file;
};

void AddDkim(CLI::App* app, DkimArguments* arguments);

// Does what was typed and prints it. kNotFound: no entry signs for the domain.
core::Status DkimCommand(const CLI::App& app, const DkimArguments& arguments);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_OUTBOX_DKIM_H_
