// LocalDomains: whose mail is ours, and to which mailbox it goes.
//
// [local] of the configuration, looked up. The router asks it first: a recipient in one of its
// domains never goes by a route. An alias domain is rewritten to its domain; a detail behind the
// user ("alice+news") is taken off, unless there is a mailbox of the whole name. Mailboxes are
// named in lower case, as far as they are ASCII; domains by their A-labels (core/idna.h).
//
// Shard-local, like its router; the list of mailboxes is put in place by the configuration or, when
// they are in a file, by queue/mailbox_file.h.
#ifndef OUTBOX_QUEUE_LOCAL_DOMAINS_H_
#define OUTBOX_QUEUE_LOCAL_DOMAINS_H_

#include <memory>
#include <string>
#include <string_view>

#include "core/config.h"
#include "core/string_map.h"
#include "queue/mailbox_list.h"

namespace outbox::queue {

// The name of the route that local mail takes.
inline constexpr std::string_view kLocalRoute = "local";

enum class LocalStanding : uint8_t {
  kMailbox,
  kNoMailbox,
  kAsk,       // the LMTP server knows
  kNotKnown,  // the file of mailboxes has not been read yet
};

struct LocalAnswer {
  LocalStanding standing = LocalStanding::kNoMailbox;
  // The address to deliver to; with kNoMailbox as it came, in its own domain. Valid until the next
  // question.
  std::string_view address;
};

class LocalDomains {
 public:
  explicit LocalDomains(const core::LocalConfig& config);

  // `domain`: a key (core/idna.h).
  bool Owns(std::string_view domain) const { return domains_.contains(domain); }
  // The same of an address, in any case and either form.
  bool OwnsDomainOf(std::string_view recipient) const;
  // REQUIRES: OwnsDomainOf(recipient).
  LocalAnswer Find(std::string_view recipient) const;

  core::Undelivered undelivered() const { return config_.undelivered; }
  const std::string& forward_to() const { return config_.forward_to; }
  // Keys of destinations (queue/destination_key.h): of the mailboxes; of what has none.
  const std::string& key() const { return key_; }
  const std::string& no_mailbox_key() const { return no_mailbox_key_; }
  // Whether mail of ours may go to the destination with this key.
  bool LeadsTo(std::string_view key) const { return key == key_ || key == no_mailbox_key_; }

  const core::LocalConfig& config() const { return config_; }
  // Null: not known yet.
  const std::shared_ptr<const MailboxList>& list() const { return list_; }
  void set_list(std::shared_ptr<const MailboxList> list) { list_ = std::move(list); }

 private:
  const core::LocalConfig config_;  // without what is looked up elsewhere
  std::string key_;
  std::string no_mailbox_key_;
  core::StringMap<std::string> domains_;  // its own name, or the one that it stands for
  std::shared_ptr<const MailboxList> list_;
  mutable std::string lower_;    // scratch
  mutable std::string address_;  // scratch: the answer's
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_LOCAL_DOMAINS_H_
