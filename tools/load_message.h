// What smtp_source and smtp_sink agree on: how a test message looks and how it is recognised.
//
// Message i carries the headers
//
//   X-Outbox-Id: <i>
//   X-Outbox-Time: <steady nanoseconds (CLOCK_BOOTTIME) at which the source began to send the
//   content> X-Outbox-Hash: <ContentHash of everything behind the empty line, in wire form, as 16
//   hex digits>
//
// and goes to recipients u<i>.<k>@d<n>.<suffix>, k counting from 0. The content ends in a line with
// the message's id, so that no two messages have the same hash. Wire form (dot-stuffed, with the
// final
// ".CRLF", RFC 5321 4.5.2) stands one to one for the content, and needs no decoding to be hashed. A
// header section that a relay extends does not change the hash.
#ifndef OUTBOX_TOOLS_LOAD_MESSAGE_H_
#define OUTBOX_TOOLS_LOAD_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/load_hash.h"

namespace outbox::tools {

// At most so many recipients a message: the sink keeps a 64-bit mask for each message.
inline constexpr uint32_t kLoadRecipientsMax = 64;
// Ids above are not accounted for: the sink's table has this many entries at most.
inline constexpr uint64_t kLoadIdMax = uint64_t{1} << 26;
// The head of a message that the sink looks at; our headers must end within it.
inline constexpr size_t kLoadHeadBytes = 16384;

// The bodies of a run, made before it starts: several for each size, so that two messages that
// follow each other differ. Wire form without the final dot; some lines begin with a (doubled) dot.
class BodyPool {
 public:
  struct Body {
    std::string text;
    std::string plain;  // with `unstuffed`: as BDAT carries it
    ContentHash hash;   // of `text`
  };

  // `sizes`: the body sizes in bytes that messages take in turn. REQUIRES: not empty.
  explicit BodyPool(const std::vector<size_t>& sizes, bool unstuffed = false);

  // The body of message `id`.
  const Body& For(uint64_t id) const { return bodies_[id % bodies_.size()]; }

 private:
  std::vector<Body> bodies_;
};

// Body sizes for --size: a number of bytes with an optional "KiB" or "MiB", or "mixed": mostly
// small with few large ones, up to 256 KiB. An empty result: the text is neither.
std::vector<size_t> ParseSizes(std::string_view text);

// The recipient number k of message `id` among `domains` domains: "u7.0@d7.load.test".
void AppendRecipient(uint64_t id, uint32_t k, uint64_t domains, std::string_view suffix,
                     std::string* out);

// What precedes the body (headers and the empty line) and what follows it (the line that names the
// message, and the final dot).
void AppendHead(uint64_t id, int64_t time_ns, uint64_t hash, std::string_view recipient,
                std::string* out);
void AppendTail(uint64_t id, std::string* out);

// What a head says. A message without all three headers is not ours.
struct LoadHead {
  uint64_t id = 0;
  int64_t time_ns = 0;
  uint64_t hash = 0;
};
std::optional<LoadHead> ParseHead(std::string_view head);

// The id and number in the recipient "u7.0@d7.load.test"; nothing if it is not one of ours.
struct LoadRecipient {
  uint64_t id = 0;
  uint32_t number = 0;
};
std::optional<LoadRecipient> ParseRecipient(std::string_view address);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LOAD_MESSAGE_H_
