// SuspensionList: what an operator has suspended: domains, by patterns, and sites, by name.
//
// To what is suspended no attempt begins; the mail waits, and all its periods go on. The control
// plane keeps the list (tools/suspension_book.h), in the spool as well, and gives every shard the
// same one: it never changes, a new one takes its place. Times are wall clock, and nobody here
// looks at them: what is over is in the next list no more.
#ifndef OUTBOX_QUEUE_SUSPENSION_LIST_H_
#define OUTBOX_QUEUE_SUSPENSION_LIST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/string_map.h"
#include "queue/pattern_index.h"

namespace outbox::queue {

struct Suspension {
  std::string name;           // of the site; or "example.net", "*.example.net", "*"
  bool site = false;
  int64_t since_wall_ns = 0;
  int64_t until_wall_ns = 0;  // 0: until it is lifted
  std::string by;             // a user of this machine
  std::string reason;         // as given; may be empty

  bool operator==(const Suspension&) const = default;
};

class SuspensionList {
 public:
  SuspensionList() = default;
  explicit SuspensionList(std::vector<Suspension> all);

  bool empty() const { return all_.empty(); }
  const std::vector<Suspension>& all() const { return all_; }
  // What suspends mail to this domain ("": there is none, as with a list of hosts: "*" alone is
  // meant) at this site ("": not known); null: nothing.
  const Suspension* Find(std::string_view domain, std::string_view site) const;
  const Suspension* FindSite(std::string_view site) const;

 private:
  std::vector<Suspension> all_;
  PatternIndex domains_;
  core::StringMap<uint32_t> sites_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SUSPENSION_LIST_H_
