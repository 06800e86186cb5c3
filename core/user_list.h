// UserList: who may authenticate himself at a listener, and what he may send.
//
// Read from a file of lines `name:hash[:options]` (docs/auth.md). Immutable once it is read, and
// shared by all shards; what a user has used of his rates is atomic, and goes over to the list that
// a reload makes of the same file.
#ifndef OUTBOX_CORE_USER_LIST_H_
#define OUTBOX_CORE_USER_LIST_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/allowance.h"
#include "core/rate.h"

namespace outbox::core {

struct User {
  // What is left of his rates.
  struct Use {
    Allowance messages;
    Allowance recipients;
  };

  std::string name;
  std::string hash;  // of crypt(3); empty: no password is his
  // Return paths that he may use, in lower case: "user@domain", "*@domain", "*", "<>" for the null
  // one. Empty: all.
  std::vector<std::string> senders;
  Rate messages;
  Rate recipients;
  std::shared_ptr<Use> use;
  uint32_t line = 0;  // of the file

  // `mailbox`: without brackets, empty for the null return path. The case of letters means nothing.
  bool MaySendAs(std::string_view mailbox) const;
};

class UserList {
 public:
  // Null: there is none of that name. O(log users).
  const User* Find(std::string_view name) const;
  // The hash that a password for a name that nobody has is compared with, so that it takes as long
  // as for one that somebody has: always the same one for a name.
  const std::string& DecoyFor(std::string_view name) const;
  size_t size() const { return users_.size(); }
  const std::vector<User>& users() const { return users_; }

  // Users of this name go on with what was left to them. Before anybody else has the list.
  void TakeUses(const UserList& before);

 private:
  friend class UserListReader;
  std::vector<User> users_;          // by name
  std::vector<std::string> decoys_;  // hashes of users
};

// All of a file, or nothing and why: "file:line:column: what, and what was expected", the first
// kConfigErrors.
struct UserListResult {
  std::shared_ptr<UserList> list;  // null with errors
  std::vector<std::string> errors;
};

// Reads `text`, of at most kUserFileBytes. `file` is its name, for the errors. Pure.
UserListResult ParseUsers(std::string_view text, std::string_view file);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_USER_LIST_H_
