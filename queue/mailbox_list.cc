#include "queue/mailbox_list.h"

#include <algorithm>

#include "core/idna.h"
#include "core/mailbox_name.h"

namespace outbox::queue {
namespace {

// Of a line that is no name, in an error.
constexpr size_t kShownBytes = 80;

std::string_view Trim(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t begin = line.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlank) - begin + 1);
}

core::Status Wrong(std::string what) {
  return core::Status(core::StatusCode::kInvalidArgument, std::move(what));
}

}  // namespace

bool MailboxList::Has(std::string_view user, std::string_view domain) const {
  if (names_.contains(user)) return true;
  std::string name(user);
  name.append("@").append(domain);
  return names_.contains(name);
}

core::Status MailboxList::Read(std::string_view text) {
  if (!text.empty() && text.back() != '\n') {
    return Wrong("the last line has no end; expected a file that is written completely");
  }
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    line = Trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const std::string name = core::AddressKey(line);
    if (!core::IsMailboxName(name)) {
      return Wrong("line " + std::to_string(number) + ": \"" +
                   std::string(line.substr(0, kShownBytes)) +
                   "\" is not the name of a mailbox; expected \"alice\" or \"alice@example.org\"");
    }
    Add(name);
  }
  if (names_.empty()) return Wrong("there is no name in it; expected one a line");
  return core::OkStatus();
}

}  // namespace outbox::queue
