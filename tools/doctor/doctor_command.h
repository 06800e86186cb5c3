// The command line of `outbox doctor`.
#ifndef OUTBOX_TOOLS_DOCTOR_DOCTOR_COMMAND_H_
#define OUTBOX_TOOLS_DOCTOR_DOCTOR_COMMAND_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace outbox::tools {

struct DoctorArguments {
  std::string config = "/etc/outbox/outbox.toml";
  std::vector<std::string> addresses;
  std::vector<std::string> domains;
  std::vector<std::string> selectors;
  std::vector<std::string> only;
  bool json = false;
};

void AddDoctor(CLI::App* app, DoctorArguments* arguments);

// Examines and prints. The exit status: 0 when nothing has failed (there may be warnings), 1 when
// something has, or the output cannot be written, 2 when too much was asked for. `control`: the
// socket, when it was given to `app`.
int DoctorCommand(const CLI::App& app, const std::string& control,
                  const DoctorArguments& arguments);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_DOCTOR_COMMAND_H_
