// SourceChoice: which [[source]] a message is sent from.
//
// Who decides, the first that says something: the route (`send_from`, or `bind`, which is addresses
// without a name), the sender's domain ([[sender]]), [delivery]. What they name is a *group*: one
// source, or a pool, of which each message gets one by weight. The choice is made once and stands
// in the message's destination key; when mail is routed again it stays as long as the source is
// still one of the group, so that retries come from where the first attempt came from.
//
// Pure and built once from the configuration; shard-local (a scratch buffer).
#ifndef OUTBOX_QUEUE_SOURCE_CHOICE_H_
#define OUTBOX_QUEUE_SOURCE_CHOICE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/string_map.h"
#include "queue/pattern_index.h"

namespace outbox::queue {

// Who has decided where a message is sent from.
enum class SourceRule : uint8_t {
  kNobody,  // the system chooses
  kBind,    // the route, by addresses
  kRoute,
  kSender,
  kDefault,
};
// "route", "sender", ...
const char* SourceRuleName(SourceRule rule);

// A whole 64-bit word, spread evenly: the draws of one counter meet each part of a pool as often as
// its weight says, also over a few messages (the multiples of the golden ratio).
inline uint64_t DrawOf(uint64_t counter) { return counter * 0x9e3779b97f4a7c15u; }

class SourceChoice {
 public:
  // Of groups; kSystem is that of no source.
  using Group = uint32_t;
  static constexpr Group kSystem = 0;
  static constexpr Group kUnsaid = UINT32_MAX;

  explicit SourceChoice(const core::Config& config);
  SourceChoice(const SourceChoice&) = delete;
  SourceChoice& operator=(const SourceChoice&) = delete;

  // Nothing is configured: everything is kSystem.
  bool empty() const { return groups_.size() == 1; }
  // What a route says.
  Group Find(const std::optional<std::string>& send_from) const;
  // The group for mail from `sender` ("" is the null return path) by a route that says `by_route`.
  Group For(Group by_route, std::string_view sender, SourceRule* rule = nullptr) const;
  // One of the group: `now` if it is in it, else by `draw`, 64 random bits. Empty for kSystem.
  std::string_view Choose(Group group, uint64_t draw, std::string_view now) const;
  bool Contains(Group group, std::string_view source) const;
  std::string_view NameOf(Group group) const { return groups_[group].name; }
  // The first `most` sources of a group, and of all.
  std::vector<std::string> SourcesOf(Group group, size_t most) const;
  std::vector<std::string> AllSources(size_t most) const;

  // What For depends on besides the route, as a number: the entry of [[sender]] for this sender.
  uint32_t SenderOf(std::string_view sender) const;
  // Whether mail that was given a source by `other` may have another one by this.
  bool DiffersFrom(const SourceChoice& other) const;

 private:
  struct Member {
    std::string name;
    uint64_t up_to = 0;  // the sum of the weights up to this one's

    bool operator==(const Member& other) const { return name == other.name; }
  };
  struct GroupFacts {
    std::string name;
    std::vector<Member> members;  // of kSystem: none
  };

  std::vector<GroupFacts> groups_;
  core::StringMap<Group> by_name_;
  std::vector<core::SenderConfig> senders_;
  std::vector<Group> sender_groups_;
  PatternIndex domains_;
  std::string default_name_;
  Group default_ = kSystem;
  mutable std::string domain_;  // scratch: lower case
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SOURCE_CHOICE_H_
