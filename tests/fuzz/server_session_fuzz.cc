// Fuzzes the server session: any bytes in any pieces lead to the same dialogue, and what is
// committed is clean. The first octet chooses the pieces and what the driver answers.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "smtp/server_session.h"
#include "tests/smtp/naive_body.h"
#include "tests/smtp/server_run.h"

namespace smtp = outbox::smtp;

namespace {

// With STARTTLS, with AUTH (under TLS alone where there is that), with AUTH required, with
// CHUNKING, or without.
const smtp::ServerSessionOptions& Options(uint8_t choice) {
  static const auto make = [](uint8_t bits) {
    const bool offers_tls = (bits & 1) != 0;
    const bool offers_auth = (bits & 2) != 0;
    smtp::ServerSessionOptions o;
    o.hostname = "relay.example.com";
    o.max_message_bytes = 2000;
    o.max_recipients = 3;
    o.max_errors = 6;
    o.max_text_line = 1100;
    o.max_received_headers = 2;
    o.offers_tls = offers_tls;
    o.needs_tls = offers_tls;
    o.offers_auth = offers_auth;
    o.auth_in_clear = !offers_tls;
    o.needs_auth = offers_auth && (bits & 4) != 0;
    o.offers_chunking = (bits & 8) != 0;
    return o;
  };
  static const std::array<smtp::ServerSessionOptions, 16> all = [] {
    std::array<smtp::ServerSessionOptions, 16> made;
    for (uint8_t i = 0; i < made.size(); ++i) made[i] = make(i);
    return made;
  }();
  return all[((choice >> 3) & 7) | ((choice >> 7) << 3)];
}

// What was slipped in behind STARTTLS is seen when it comes with it; else it is the handshake's.
constexpr std::string_view kSlipped =
    "554 5.5.1 STARTTLS must be the last command before TLS. Closing\r\n";

void Feed(smtp::ServerRun* run, uint8_t choice, std::string_view bytes, size_t piece) {
  if ((choice & 1) != 0) run->commit_reply = {451, {4, 3, 0}, "Not now"};
  if ((choice & 2) != 0) run->data_reply = {452, {4, 3, 1}, "No space"};
  if ((choice & 4) == 0) run->Start();
  run->Feed(bytes, piece);
}

void CheckReplies(std::string_view output) {
  smtp::ReplyParser parser;
  while (!output.empty()) CHECK(parser.Consume(&output) != smtp::ReplyParser::Result::kError);
  CHECK(parser.idle());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t choice = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const smtp::ServerSessionOptions& options = Options(choice);
  smtp::ServerRun whole(&options);
  Feed(&whole, choice, bytes, SIZE_MAX);
  CheckReplies(whole.output);
  for (const std::string& message : whole.messages) {
    const smtp::BodySummary body = smtp::NaiveScan(message);
    CHECK(body.wire_bytes == message.size() && body.line_endings_ok());
    CHECK(body.message_size() <= options.max_message_bytes);
  }
  for (const size_t piece : {size_t{1}, size_t{2} + (choice >> 3)}) {
    smtp::ServerRun run(&options);
    Feed(&run, choice, bytes, piece);
    if (whole.output.ends_with(kSlipped)) {
      CHECK(whole.closed);
      CHECK(run.output.starts_with(
          std::string_view(whole.output).substr(0, whole.output.size() - kSlipped.size())));
      continue;
    }
    CHECK(run.output == whole.output);
    CHECK(run.events == whole.events);
    CHECK(run.messages == whole.messages);
    CHECK(run.closed == whole.closed);
  }
  return 0;
}
