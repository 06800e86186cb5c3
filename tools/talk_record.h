// TalkRecord: the dialogue of one attempt as the daemon finds it for `outbox talk`, in the shards'
// memory (queue/talk_ring.h) or on the disk, and which of them are wanted.
#ifndef OUTBOX_TOOLS_TALK_RECORD_H_
#define OUTBOX_TOOLS_TALK_RECORD_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/talk_ring.h"

namespace outbox::tools {

// Dialogues in one answer: what is asked for at most, and when nothing is said.
inline constexpr uint32_t kTalksMax = 10'000;
inline constexpr uint32_t kTalksUsual = 20;

struct TalkRecord {
  struct Line {
    int64_t ms = 0;  // since `begin_ms`
    char who = 'S';
    std::string text;
  };

  std::string id;
  int64_t begin_ms = 0;  // wall time of its first line
  int64_t end_ms = 0;    // when the attempt was over
  bool failed = false;
  std::string destination;
  std::string mailhost;
  std::string outcome;
  std::vector<Line> lines;
};

// Empty members are any.
struct TalkFilter {
  std::string id;      // in capital letters
  std::string domain;  // of a recipient, or the one that the mail is routed for; lower case
  std::string host;    // a part of the mail host's name or address
  std::string reply;   // a part of what the host said, or of the outcome; any case
  int64_t since_ms = 0;
  int64_t until_ms = INT64_MAX;
  bool failed = false;
  uint32_t limit = kTalksUsual;  // the newest

  bool Wants(const TalkRecord& record) const;
};

TalkRecord TalkFromRing(const queue::TalkFacts& facts, std::string_view lines);
// Of a line that queue/talk_keeper.cc has written. Nothing: it is none, or a torn one.
std::optional<TalkRecord> TalkFromDisk(std::string_view line);
// As a line of the control protocol.
nlohmann::ordered_json TalkToJson(const TalkRecord& record);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_TALK_RECORD_H_
