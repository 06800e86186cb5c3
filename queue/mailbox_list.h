// MailboxList: the names of the mailboxes that there are.
//
// From the configuration or from a file. Read only once it is made, so shards may share one; a list
// that has changed is another list.
#ifndef OUTBOX_QUEUE_MAILBOX_LIST_H_
#define OUTBOX_QUEUE_MAILBOX_LIST_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "core/status.h"
#include "core/string_map.h"

namespace outbox::queue {

class MailboxList {
 public:
  // REQUIRES: core::IsMailboxName(name).
  void Add(std::string_view name) { names_.try_emplace(std::string(name), true); }
  // Both in lower case.
  bool Has(std::string_view user, std::string_view domain) const;
  size_t size() const { return names_.size(); }

  // Adds the names in a file: one a line, "alice" or "alice@example.org", in any case; a '#' begins
  // a comment. A file that does not end with a line's end, or has no name in it, is one that
  // somebody is still writing: an error, as is a line that is no name. Then nothing is meant by
  // what was added.
  core::Status Read(std::string_view text);

 private:
  core::StringMap<bool> names_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_MAILBOX_LIST_H_
