// Fuzzes BDAT against DATA: the same content by either of them, in whatever chunks, is taken or
// refused alike and stored as the same octets; and what a client sends by BDAT of a message that
// was stored is its content again.
//
// The first octet chooses how the bytes are cut for the session, the second how many chunks' sizes
// follow, one octet each; then the content.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "smtp/unstuffed_body.h"
#include "tests/smtp/naive_body.h"
#include "tests/smtp/server_run.h"

namespace smtp = outbox::smtp;

namespace {

const smtp::ServerSessionOptions& Options() {
  static const smtp::ServerSessionOptions options = [] {
    smtp::ServerSessionOptions o;
    o.hostname = "relay.example.com";
    o.max_message_bytes = 3000;
    o.max_text_line = 1100;
    o.max_received_headers = 2;
    o.refuse_nul = true;
    o.offers_chunking = true;
    return o;
  }();
  return options;
}

constexpr std::string_view kEnvelope = "EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n";

std::string Chunk(std::string_view content, bool last) {
  std::string out = "BDAT " + std::to_string(content.size()) + (last ? " LAST\r\n" : "\r\n");
  return out.append(content);
}

// What a client sends of `wire`, in windows of `size` octets.
std::string Unstuffed(std::string_view wire, size_t size) {
  const std::string expected = smtp::NaiveUnstuffed(wire);
  smtp::UnstuffedBody body(expected.size(), expected.size() + 3 < wire.size());
  std::string content;
  for (size_t at = 0; at < wire.size(); at += size) {
    CHECK(body.Cut(wire.substr(at, size), at + size >= wire.size(),
                   [&](std::string_view piece) { content += piece; }));
  }
  CHECK(body.complete() && content == expected);
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size < size_t{2} + data[1] % 32) return 0;
  const size_t piece = 1 + data[0];
  const size_t chunks = data[1] % 32;
  const uint8_t* const sizes = data + 2;
  const std::string_view content(reinterpret_cast<const char*>(sizes) + chunks, size - 2 - chunks);

  smtp::ServerRun by_data(&Options());
  by_data.Start();
  by_data.Feed(kEnvelope);
  by_data.Feed("DATA\r\n" + smtp::NaiveStuffed(content));

  std::string client(kEnvelope);
  std::string_view rest = content;
  for (size_t i = 0; i < chunks; ++i) {
    client += Chunk(rest.substr(0, sizes[i]), false);
    rest.remove_prefix(std::min<size_t>(sizes[i], rest.size()));
  }
  client += Chunk(rest, true);
  smtp::ServerRun by_bdat(&Options());
  by_bdat.Start();
  by_bdat.Feed(client, piece);
  CHECK(by_bdat.messages == by_data.messages);
  CHECK(!by_bdat.closed && by_bdat.session().phase() == smtp::ServerSession::Phase::kCommand);

  smtp::ServerRun whole(&Options());
  whole.Start();
  whole.Feed(client);
  CHECK(whole.output == by_bdat.output && whole.events == by_bdat.events);
  CHECK(whole.messages == by_bdat.messages && whole.last_body == by_bdat.last_body);

  if (by_data.messages.empty()) return 0;
  const std::string& stored = by_data.messages[0];
  CHECK(by_data.last_body == by_bdat.last_body);
  const std::string sent = Unstuffed(stored, piece);
  smtp::ServerRun next(&Options());
  next.Start();
  next.Feed(std::string(kEnvelope) + Chunk(sent, true), piece);
  CHECK(next.messages == by_data.messages);
  return 0;
}
