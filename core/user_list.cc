#include "core/user_list.h"

#include <algorithm>
#include <utility>

#include "core/domain_name.h"
#include "core/hash.h"
#include "core/idna.h"
#include "core/limits.h"
#include "core/password_hash.h"

namespace outbox::core {
namespace {

// Where nobody has a password: yescrypt as mkpasswd makes it, of one that is not known to anybody.
const std::string& LoneDecoy() {
  static const auto* const decoy =
      new std::string("$y$j9T$T8A/ELO9K/dNABDzt1MVn1$2GR.j2lzGYKa11PvJTl4SbdIdzYPC8QWyD1tIhCXbF6");
  return *decoy;
}

bool IsSenderPattern(std::string_view text) {
  if (text == "*" || text == "<>") return true;
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) return false;
  const std::string_view local = text.substr(0, at);
  const std::string domain = DomainKey(text.substr(at + 1));
  if (local != "*" && local.find('*') != std::string_view::npos) return false;
  for (const char c : local) {
    if (c <= ' ' && c >= 0) return false;
  }
  return IsDomainName(domain) || IsAddressLiteral(domain);
}

bool IsNameOctet(char c) { return (c < 0 || c >= ' ') && c != 0x7f; }

}  // namespace

bool User::MaySendAs(std::string_view mailbox) const {
  if (senders.empty()) return true;
  const std::string address = mailbox.empty() ? "<>" : AddressKey(mailbox);
  const size_t at = address.rfind('@');
  return std::any_of(senders.begin(), senders.end(), [&](const std::string& sender) {
    if (sender == "*" || sender == address) return true;
    return at != std::string::npos && sender.starts_with("*@") &&
           std::string_view(sender).substr(1) == std::string_view(address).substr(at);
  });
}

const User* UserList::Find(std::string_view name) const {
  const auto found =
      std::lower_bound(users_.begin(), users_.end(), name,
                       [](const User& user, std::string_view key) { return user.name < key; });
  return found == users_.end() || found->name != name ? nullptr : &*found;
}

const std::string& UserList::DecoyFor(std::string_view name) const {
  return decoys_.empty() ? LoneDecoy() : decoys_[Hash64(name) % decoys_.size()];
}

void UserList::TakeUses(const UserList& before) {
  for (User& user : users_) {
    if (const User* known = before.Find(user.name); known != nullptr) user.use = known->use;
  }
}

// Line by line; reads on after an error.
class UserListReader {
 public:
  UserListReader(std::string_view file, UserListResult* result) : file_(file), result_(result) {}

  void Read(std::string_view text) {
    auto list = std::make_shared<UserList>();
    list_ = list.get();
    while (!text.empty() && result_->errors.size() < kConfigErrors) {
      const size_t newline = text.find('\n');
      ++line_;
      ReadLine(text.substr(0, newline));
      if (newline == std::string_view::npos) break;
      text.remove_prefix(newline + 1);
    }
    Sort();
    if (result_->errors.empty()) result_->list = std::move(list);
  }

 private:
  void Fail(size_t at, const std::string& what) {
    result_->errors.push_back(std::string(file_) + ":" + std::to_string(line_) + ":" +
                              std::to_string(at + 1) + ": " + what);
  }

  void ReadLine(std::string_view line) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') return;
    const size_t name_end = line.find(':');
    if (name_end == std::string_view::npos) {
      return Fail(0, "the line has no \":\"; expected name:hash or name:hash:options");
    }
    User user;
    user.name = line.substr(0, name_end);
    user.line = line_;
    user.use = std::make_shared<User::Use>();
    const size_t hash_end = std::min(line.find(':', name_end + 1), line.size());
    user.hash = line.substr(name_end + 1, hash_end - name_end - 1);
    if (!CheckName(user.name) || !CheckHash(&user.hash, name_end + 1)) return;
    if (hash_end < line.size() && !ReadOptions(line, hash_end + 1, &user)) return;
    list_->users_.push_back(std::move(user));
  }

  bool CheckName(const std::string& name) {
    if (!name.empty() && name.size() <= kAuthUserBytes && name.front() != ' ' &&
        name.back() != ' ' && std::all_of(name.begin(), name.end(), IsNameOctet)) {
      return true;
    }
    Fail(0, "\"" + name.substr(0, kAuthUserBytes) + "\" is no user name; expected 1 to " +
                std::to_string(kAuthUserBytes) +
                " bytes without control characters, and no blank at either end");
    return false;
  }

  // Errors do not quote it: what stands there may be a password.
  bool CheckHash(std::string* hash, size_t at) {
    if (hash->starts_with('!') || hash->starts_with('*')) {  // as in shadow(5)
      hash->clear();
      return true;
    }
    const char* const problem = PasswordHashProblem(*hash);
    if (problem == nullptr) return true;
    Fail(at, std::string("what stands there ") + problem +
                 "; expected one that \"mkpasswd -m yescrypt\" has made, or \"!\" for a user who "
                 "may not authenticate himself");
    return false;
  }

  // key=value, with blanks between them.
  bool ReadOptions(std::string_view line, size_t at, User* user) {
    while (at < line.size()) {
      const size_t end = std::min(line.find(' ', at), line.size());
      if (end > at && !ReadOption(line.substr(at, end - at), at, user)) return false;
      at = end + 1;
    }
    return true;
  }

  bool ReadOption(std::string_view option, size_t at, User* user) {
    const size_t equals = option.find('=');
    const std::string_view key = option.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : option.substr(equals + 1);
    const size_t value_at = at + key.size() + 1;
    if (key == "senders") return ReadSenders(value, value_at, user);
    if (key == "messages") return ReadRate(value, value_at, &user->messages);
    if (key == "recipients") return ReadRate(value, value_at, &user->recipients);
    Fail(at, "\"" + std::string(option) +
                 "\" is no option; expected senders=..., messages=... or recipients=...");
    return false;
  }

  bool ReadRate(std::string_view value, size_t at, Rate* rate) {
    const Result<Rate> parsed = ParseRate(value);
    if (parsed.ok() && !rate->limited()) {
      *rate = *parsed;
      return true;
    }
    Fail(at,
         parsed.ok() ? "the rate is there already; expected it once" : parsed.status().message());
    return false;
  }

  bool ReadSenders(std::string_view value, size_t at, User* user) {
    while (true) {
      const size_t comma = value.find(',');
      const std::string_view sender = value.substr(0, comma);
      if (!IsSenderPattern(sender) || user->senders.size() >= kUserSenders) {
        Fail(at, "\"" + std::string(sender) + "\" is no sender; expected up to " +
                     std::to_string(kUserSenders) +
                     " of user@domain, *@domain, * for all, <> for the null return path, with "
                     "commas between them");
        return false;
      }
      user->senders.push_back(AddressKey(sender));
      if (comma == std::string_view::npos) return true;
      at += comma + 1;
      value.remove_prefix(comma + 1);
    }
  }

  void Sort() {
    std::vector<User>& users = list_->users_;
    std::sort(users.begin(), users.end(), [](const User& a, const User& b) {
      return a.name != b.name ? a.name < b.name : a.line < b.line;
    });
    for (size_t i = 0; i < users.size(); ++i) {
      if (!users[i].hash.empty()) list_->decoys_.push_back(users[i].hash);
      if (i == 0 || users[i].name != users[i - 1].name) continue;
      line_ = users[i].line;
      Fail(0, "\"" + users[i].name + "\" is the user of line " + std::to_string(users[i - 1].line) +
                  ", too; expected each of them once");
    }
    if (result_->errors.size() > kConfigErrors) result_->errors.resize(kConfigErrors);
  }

  const std::string_view file_;
  UserListResult* const result_;
  UserList* list_ = nullptr;
  uint32_t line_ = 0;
};

UserListResult ParseUsers(std::string_view text, std::string_view file) {
  UserListResult result;
  UserListReader(file, &result).Read(text);
  return result;
}

}  // namespace outbox::core
