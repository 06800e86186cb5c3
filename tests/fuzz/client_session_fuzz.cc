// Fuzzes the client session: whatever a server says, every recipient gets at most one result,
// exactly one once its transaction or the session is over, and the pieces make no difference to
// what is told. With SMTP and LMTP, by DATA and by BDAT, with messages and with questions that send
// none. With a user, no mail leaves before the server has taken it, and the secret never in the
// clear.
#include "smtp/client_session.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "tests/smtp/client_run.h"

namespace smtp = outbox::smtp;

namespace {

// The server's lines are served one reply at a time, so that the client can speak between them;
// `cut` also cuts every line in two.
void Serve(smtp::ClientRun* run, std::string_view bytes, bool cut) {
  while (!bytes.empty() && !run->ended) {
    const size_t newline = bytes.find('\n');
    const size_t size = newline == std::string_view::npos ? bytes.size() : newline + 1;
    run->Serve(bytes.substr(0, size), cut ? 1 : SIZE_MAX);
    bytes.remove_prefix(size);
  }
}

void Prepare(smtp::ClientRun* run, uint8_t choice) {
  run->options.pipelining = (choice & 1) == 0;
  run->hold_bodies = (choice & 2) != 0;
  smtp::TestMessage message;
  message.reverse_path = "a@b.c";
  message.recipients = {"d@e.f", "g@h.i", "j@k.l"};
  message.body = "hello\r\n..\r\n.\r\n";
  message.eight_bit = (choice & 4) != 0;
  run->options.lmtp = (choice & 8) != 0;
  run->options.chunking = (choice & 128) != 0;
  if ((choice & 32) != 0) {
    message.ret = smtp::DsnReturn::kFull;
    message.envid = "id+2B";
    message.dsn = {{smtp::kNotifyNever, "rfc822;x@y.z"}, {}, {smtp::kNotifySuccess, ""}};
  }
  run->messages = {message, message, message};
  run->messages[2].patient = true;
  run->messages[1].verify_only = (choice & 16) != 0;
}

// A user for half of the sessions; these are encrypted for half of them.
const smtp::ClientCredentials* CredentialsOf(uint8_t choice) {
  static const smtp::ClientCredentials* const user = new smtp::ClientCredentials{
      .user = "tim", .secret = outbox::core::Secret::Copy("tanstaaftanstaaf")};
  return (choice & 32) != 0 ? user : nullptr;
}

smtp::TlsUse TlsOf(uint8_t choice) {
  return (choice & 64) != 0 ? smtp::TlsUse::kOn : smtp::TlsUse::kOff;
}

void CheckAuth(smtp::ClientRun* run, uint8_t choice) {
  if (CredentialsOf(choice) == nullptr) return;
  const size_t mail = run->sent.find("MAIL FROM");
  CHECK(mail == std::string::npos || run->session().authenticated());
  if ((choice & 64) != 0) return;
  CHECK(run->sent.find("AUTH PLAIN") == std::string::npos);
  CHECK(run->sent.find("AUTH LOGIN") == std::string::npos);
}

void CheckResults(const smtp::ClientRun& run) {
  for (const std::vector<int>& message : run.results) {
    for (const int results : message) CHECK(run.ended ? results == 1 : results <= 1);
  }
  // Parameters go to who has offered the extension.
  CHECK(run.sent.find(" NOTIFY=") == std::string::npos || run.heard_dsn);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t choice = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  smtp::ClientRun whole(TlsOf(choice), CredentialsOf(choice));
  Prepare(&whole, choice);
  Serve(&whole, bytes, false);
  CheckResults(whole);
  CheckAuth(&whole, choice);
  smtp::ClientRun cut(TlsOf(choice), CredentialsOf(choice));
  Prepare(&cut, choice);
  Serve(&cut, bytes, true);
  CHECK(cut.events == whole.events);
  CHECK(cut.sent == whole.sent);
  // Everything at once: a server that does not wait for us is a protocol error, but never a crash.
  smtp::ClientRun rude(TlsOf(choice), CredentialsOf(choice));
  Prepare(&rude, choice);
  rude.Serve(bytes);
  CheckResults(rude);
  whole.Abandon(smtp::SessionEnd::kPeerClosed);
  CHECK(whole.ended);
  CheckResults(whole);
  return 0;
}
