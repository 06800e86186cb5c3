// Fuzzes the control protocol: bytes of a client through a real connection to a checked request.
//
// Every line gets exactly one answer line, a JSON object; how the bytes are cut makes no
// difference; nothing that changes mail is accepted without saying which mail; and the filter that
// was accepted can be asked about any text.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "core/check.h"
#include "tools/control_connection.h"
#include "tools/control_request.h"

namespace outbox::tools {
namespace {

// What fits into the socket's buffers at once, so that one thread can play both sides.
constexpr size_t kInputMax = 32'768;

class Handler : public ControlHandler {
 public:
  void Handle(const nlohmann::json& request, std::shared_ptr<ReplyStream> reply) override {
    const core::Result<ControlRequest> parsed = ParseControlRequest(request);
    if (!parsed.ok()) {
      CHECK(!parsed.status().message().empty());
      reply->Fail(parsed.status().message());
      return;
    }
    const queue::QueueFilter& filter = parsed->filter;
    const bool all = request.contains("all");
    if (parsed->command == ControlCommand::kRetry || parsed->command == ControlCommand::kRemove) {
      CHECK(filter.empty() == all);
    }
    if (parsed->command == ControlCommand::kWhy) CHECK((filter.id != 0) != !parsed->domain.empty());
    const std::string text =
        request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 1024);
    reply->Finish({{"command", static_cast<int>(parsed->command)},
                   {"sender", filter.MatchesSender(text)},
                   {"recipient", filter.MatchesRecipient(text + "@" + filter.domain)},
                   {"read_only", IsForStatsSocket(parsed->command)}});
  }
  void OnSignal(int) override {}
};

// What the client gets for `input`, given in pieces of at most `piece` bytes.
std::string Answers(std::string_view input, size_t piece) {
  int fds[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  Handler handler;
  auto connection = std::make_shared<ControlConnection>(fds[0], &handler);
  std::string answers;
  const auto turn = [&] {
    if (!connection->dead()) connection->OnEvents(connection->events());
    char bytes[4096];
    for (ssize_t size = 0; (size = recv(fds[1], bytes, sizeof bytes, 0)) > 0;) {
      answers.append(bytes, static_cast<size_t>(size));
    }
  };
  while (!input.empty()) {
    const std::string_view part = input.substr(0, piece);
    CHECK(send(fds[1], part.data(), part.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(part.size()));
    input.remove_prefix(part.size());
    for (size_t i = 0; i <= part.size() / 1024; ++i) turn();
  }
  shutdown(fds[1], SHUT_WR);
  for (int i = 0; i < 100 && !connection->dead(); ++i) turn();
  CHECK(connection->dead());
  connection.reset();
  close(fds[1]);
  return answers;
}

}  // namespace
}  // namespace outbox::tools

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using outbox::tools::Answers;
  const std::string_view input(reinterpret_cast<const char*>(data),
                               std::min(size, outbox::tools::kInputMax));
  const std::string whole = Answers(input, 4096);
  const auto lines = std::count(input.begin(), input.end(), '\n');
  CHECK(std::count(whole.begin(), whole.end(), '\n') == lines);
  for (size_t at = 0; at < whole.size();) {
    const size_t newline = whole.find('\n', at);
    const auto answer = nlohmann::json::parse(whole.substr(at, newline - at), nullptr, false);
    CHECK(answer.is_object());
    at = newline + 1;
  }
  if (size <= 2048) CHECK(Answers(input, 1) == whole);
  return 0;
}
