#include "tools/sendmail/queue_list.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>

#include "tools/control_client.h"
#include "tools/outbox_text.h"

namespace outbox::tools {
namespace {

constexpr int kAnswerSeconds = 60;

// What stands behind the id: on its way, or held, or neither.
char MarkOf(const std::string& state) {
  if (state == "sending" || state == "ready") return '*';
  return state == "held" ? '!' : ' ';
}

// The lines of one message follow each other: each begins where the id changes.
class Printer {
 public:
  void Print(const nlohmann::json& line) {
    const std::string id = TextOf(line, "id");
    if (id != id_) {
      if (requests_ > 0) std::printf("\n");
      id_ = id;
      ++requests_;
      bytes_ += NumberOf(line, "size");
      const std::time_t arrived = std::time(nullptr) - NumberOf(line, "age_seconds");
      std::tm parts = {};
      ::localtime_r(&arrived, &parts);
      char date[32];
      std::strftime(date, sizeof date, "%a %b %e %H:%M:%S", &parts);
      const std::string sender = Harmless(TextOf(line, "sender"));
      std::printf("%s%c %8lld %s  %s\n", id.c_str(), MarkOf(TextOf(line, "state")),
                  static_cast<long long>(NumberOf(line, "size")), date,
                  sender.empty() ? "MAILER-DAEMON" : sender.c_str());
    }
    const std::string reply = Harmless(TextOf(line, "last_reply"));
    if (!reply.empty()) std::printf("%39s(%s)\n", "", reply.c_str());
    std::printf("%41s%s\n", "", Harmless(TextOf(line, "recipient")).c_str());
  }

  void Finish() const {
    if (requests_ == 0) {
      std::printf("Mail queue is empty\n");
    } else {
      std::printf("\n-- %lld Kbytes in %lld Request%s.\n",
                  static_cast<long long>((bytes_ + 1023) / 1024), static_cast<long long>(requests_),
                  requests_ == 1 ? "" : "s");
    }
  }
  bool empty() const { return requests_ == 0; }

 private:
  std::string id_;
  int64_t requests_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace

core::Status PrintQueueList(const std::string& control) {
  ControlClient client;
  if (::access(control.c_str(), W_OK) != 0 && errno == EACCES) {
    return core::Status(core::StatusCode::kPermissionDenied,
                        "the queue is shown to root and to the members of the group outbox");
  }
  if (core::Status status = client.Connect(control); !status.ok()) return status;
  if (core::Status status = client.Send({{"command", "queue"}}); !status.ok()) return status;
  Printer printer;
  while (true) {
    const core::Result<nlohmann::json> line = client.Receive(kAnswerSeconds);
    if (!line.ok()) return line.status();
    if (line->contains("end")) break;
    if (printer.empty()) {
      std::printf("-Queue ID-------- --Size-- ----Arrival Time---- -Sender/Recipient-------\n");
    }
    printer.Print(*line);
  }
  printer.Finish();
  return core::OkStatus();
}

}  // namespace outbox::tools
