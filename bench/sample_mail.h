// What benchmarks and counts send: one ordinary message, and the dialogues that carry it.
#ifndef OUTBOX_BENCH_SAMPLE_MAIL_H_
#define OUTBOX_BENCH_SAMPLE_MAIL_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace outbox::bench {

inline constexpr std::string_view kSender = "sender@example.org";
inline constexpr std::string_view kRecipient = "recipient@example.com";
// What a relay adds.
inline constexpr std::string_view kAddedHeader =
    "Received: from client.example.org ([192.0.2.1]) by relay.example.com with ESMTP id 1A;\r\n"
    "\tMon, 1 Jan 2024 00:00:00 +0000\r\n";

// A message of about so many octets in wire form, without the final dot: seven header fields, then
// lines of 76.
inline std::string SampleContent(size_t octets) {
  std::string content =
      "Received: from client.example.org by source.example.org; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
      "From: sender@example.org\r\nTo: recipient@example.com\r\nSubject: bench\r\n"
      "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n";
  while (content.size() < octets) content += std::string(76, 'x') + "\r\n";
  return content;
}

// The same as DATA carries it.
inline std::string SampleWire(size_t octets) { return SampleContent(octets) + ".\r\n"; }

}  // namespace outbox::bench

#endif  // OUTBOX_BENCH_SAMPLE_MAIL_H_
