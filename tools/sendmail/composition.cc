#include "tools/sendmail/composition.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>

#include "core/domain_name.h"
#include "core/time.h"
#include "core/time_format.h"
#include "tools/sendmail/address_list.h"
#include "tools/sendmail/header_section.h"

namespace outbox::tools {
namespace {

core::Status Wrong(const std::string& what) {
  return core::Status(core::StatusCode::kInvalidArgument, what);
}

// "-f <>", "-f ''" and "-f MAILER-DAEMON" all mean nobody.
core::Status ReadSender(const SendmailOptions& options, const Caller& caller, Mail* mail) {
  if (!options.has_sender) {
    mail->sender = caller.user + "@" + caller.origin;
    return core::OkStatus();
  }
  const std::string& text = options.sender;
  if (text.empty() || text == "<>" || core::ToLower(text) == "mailer-daemon") {
    return core::OkStatus();
  }
  std::vector<std::string> senders;
  const core::Status status = ReadAddressList(text, caller.origin, &senders);
  if (!status.ok()) return Wrong("-f: " + status.message());
  if (senders.size() != 1) return Wrong("-f " + text + ": expected one address");
  mail->sender = senders[0];
  return core::OkStatus();
}

// RFC 5322 3.6.6: who sends a message on names its recipients in Resent- fields.
core::Status ReadHeaderRecipients(const HeaderSection& header, const Caller& caller, Mail* mail) {
  static constexpr std::string_view kFirst[] = {"to", "cc", "bcc"};
  static constexpr std::string_view kResent[] = {"resent-to", "resent-cc", "resent-bcc"};
  const bool resent = std::any_of(std::begin(kResent), std::end(kResent),
                                  [&](std::string_view name) { return header.Has(name); });
  for (const std::string_view name : resent ? kResent : kFirst) {
    for (const std::string_view value : header.Values(name)) {
      const core::Status status = ReadAddressList(value, caller.origin, &mail->recipients);
      if (!status.ok()) return Wrong("in the header: " + status.message());
    }
  }
  return core::OkStatus();
}

core::Status ReadRecipients(const SendmailOptions& options, const Caller& caller,
                            const HeaderSection& header, Mail* mail) {
  for (const std::string& text : options.recipients) {
    const core::Status status = ReadAddressList(text, caller.origin, &mail->recipients);
    if (!status.ok()) return status;
  }
  if (options.recipients_in_header) {
    const core::Status status = ReadHeaderRecipients(header, caller, mail);
    if (!status.ok()) return status;
  }
  // One copy for each; in the order of their first appearance.
  std::vector<std::string> once;
  std::vector<std::string> seen;
  for (std::string& recipient : mail->recipients) {
    const std::string key = core::ToLower(recipient);
    const auto at = std::lower_bound(seen.begin(), seen.end(), key);
    if (at != seen.end() && *at == key) continue;
    seen.insert(at, key);
    once.push_back(std::move(recipient));
    if (once.size() > kHandedInRecipientsMax) {
      return Wrong("too many recipients; expected at most " +
                   std::to_string(kHandedInRecipientsMax) + " for one message");
    }
  }
  mail->recipients = std::move(once);
  if (!mail->recipients.empty()) return core::OkStatus();
  return Wrong(options.recipients_in_header
                   ? "no recipient in To, Cc or Bcc; expected one at least"
                   : "no recipient; expected addresses, or -t to read them from the header");
}

void AddWhatIsMissing(const SendmailOptions& options, const Caller& caller, const Mail& mail,
                      HeaderSection* header) {
  if (!header->Has("date")) {
    std::array<char, core::kRfc5322DateBytes> buffer;
    header->Add("Date", core::FormatRfc5322Date(caller.now_wall_ns, buffer));
  }
  if (!header->Has("from")) {
    const std::string& name = options.full_name.empty() ? caller.full_name : options.full_name;
    header->Add("From",
                FromValue(name, mail.sender.empty() ? caller.user + "@" + caller.origin
                                                    : mail.sender));
  }
  if (!header->Has("message-id")) {
    char id[64];
    std::snprintf(id, sizeof id, "<%" PRId64 ".%016" PRIx64 "@",
                  caller.now_wall_ns / core::kNsPerSecond, caller.random);
    header->Add("Message-ID", id + caller.origin + ">");
  }
  // RFC 5322 3.6.3: without any of them a server further on might name the hidden ones.
  if (!header->Has("to") && !header->Has("cc")) header->Add("To", "undisclosed-recipients:;");
}

}  // namespace

core::Result<Mail> Compose(const SendmailOptions& options, const Caller& caller,
                           std::string_view content) {
  Mail mail;
  HeaderSection header(content);
  if (core::Status status = ReadSender(options, caller, &mail); !status.ok()) return status;
  if (core::Status status = ReadRecipients(options, caller, header, &mail); !status.ok()) {
    return status;
  }
  for (const std::string_view name : {"bcc", "resent-bcc", "return-path"}) header.Remove(name);
  AddWhatIsMissing(options, caller, mail, &header);
  mail.notify = options.notify;
  mail.ret = options.ret;
  mail.envelope_id = options.envelope_id;
  mail.content = header.Content();
  return mail;
}

std::string FullNameOf(std::string_view comment, std::string_view user) {
  std::string name;
  for (const char c : comment.substr(0, comment.find(','))) {
    if (c != '&') {
      name.push_back(c);
      continue;
    }
    const size_t at = name.size();
    name.append(user);
    if (at < name.size() && name[at] >= 'a' && name[at] <= 'z') {
      name[at] &= static_cast<char>(~0x20);
    }
  }
  return name;
}

}  // namespace outbox::tools
