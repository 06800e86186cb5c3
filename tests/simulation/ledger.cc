#include "tests/simulation/ledger.h"

#include <algorithm>
#include <cstdlib>

#include "core/check.h"

namespace outbox::simulation {
namespace {

constexpr std::string_view kIdName = "X-Ledger-Id: ";

// The header section, with the CRLF of its last line.
std::string_view HeaderOf(std::string_view content) {
  if (content.starts_with("\r\n")) return {};
  const size_t end = content.find("\r\n\r\n");
  return end == std::string_view::npos ? content : content.substr(0, end + 2);
}

// The value of the first line that begins with `name`, or "".
std::string ValueOf(std::string_view text, std::string_view name) {
  size_t at = text.starts_with(name) ? 0 : text.find("\r\n" + std::string(name));
  if (at == std::string_view::npos) return "";
  if (at > 0) at += 2;
  const size_t from = at + name.size();
  return std::string(text.substr(from, text.find("\r\n", from) - from));
}

// A text with LF in wire form, without the final dot.
std::string WireOf(std::string_view text) {
  std::string wire;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (text[0] == '.') wire += '.';
    wire.append(text.substr(0, end)).append("\r\n");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return wire;
}

}  // namespace

std::string Ledger::IdField(uint64_t id) {
  return std::string(kIdName) + std::to_string(id) + "\r\n";
}

void Ledger::Submitted(uint64_t id, const ClientMessage& message, int64_t now_ns) {
  CHECK(message.content.starts_with(IdField(id)) && message.content.ends_with("\r\n"));
  CHECK(messages_.emplace(id, Message{message, now_ns, false, false}).second);
  for (const std::string& address : message.recipients) {
    const auto [at, is_new] = recipients_.emplace(address, Recipient{});
    CHECK(is_new);
    at->second.message = id;
  }
}

void Ledger::Answered(uint64_t id, const ClientResult& result) {
  Message& message = messages_.at(id);
  message.dot_sent = result.dot_sent;
  message.acknowledged = result.acknowledged;
  for (size_t i = 0; i < message.sent.recipients.size(); ++i) {
    Recipient& recipient = recipients_.at(message.sent.recipients[i]);
    recipient.accepted = result.recipient_replies[i].starts_with("2");
    recipient.promised = recipient.accepted && result.acknowledged;
    if (result.asked) recipient.asks = message.sent.AsksFor(i);
  }
}

void Ledger::RecipientAnswered(const std::string& host, const RecipientAnswer& answer) {
  const std::string& reply = answer.reply;
  if (reply.starts_with("5") && !reply.starts_with("552")) refused_.insert(Root(answer.recipient));
  if (!recipients_.contains(Root(answer.recipient))) return;  // of a DSN
  const auto key = std::make_pair(host, answer.recipient);
  if (const auto last = deferred_.find(key); last != deferred_.end()) {
    if (answer.said_ns - last->second < options_.retry_min_ns &&
        !DiedBetween(last->second, answer.said_ns) &&
        !RetriedBetween(last->second, answer.said_ns)) {
      Wrong(answer.recipient + " was tried again at " + host + " after " +
            std::to_string((answer.said_ns - last->second) / core::kNsPerMs) + " ms");
    }
    deferred_.erase(last);
  }
  // What the relay may never have read does not bind it; "too many recipients" is an invitation to
  // come again at once (RFC 5321 4.5.3.1.10).
  if (reply.starts_with("4") && !reply.starts_with("452") && answer.clean) {
    deferred_[key] = answer.said_ns;
  }
}

void Ledger::PurgeAnswered(const std::string& recipient, bool purged, int64_t now_ns) {
  if (purged) {
    purged_[recipient] = now_ns;
  } else if (--purging_[recipient] == 0) {
    purging_.erase(recipient);
  }
}

void Ledger::Undone(const std::string& recipient) {
  const auto ordered = purging_.find(recipient);
  if (ordered != purging_.end() && --ordered->second == 0) purging_.erase(ordered);
}

void Ledger::Taken(const TakenMessage& message) {
  const std::string id = ValueOf(HeaderOf(message.content), kIdName);
  if (!id.empty()) return TakenMail(strtoull(id.c_str(), nullptr, 10), message);
  if (message.reverse_path.empty()) return TakenDsn(message);
  Wrong("mail from " + message.reverse_path + " that nobody submitted");
}

void Ledger::TakenMail(uint64_t id, const TakenMessage& message) {
  const std::string name = "message " + std::to_string(id);
  const auto found = messages_.find(id);
  if (found == messages_.end()) return Wrong(name + " arrived and was never submitted");
  const ClientMessage& sent = found->second.sent;
  if (message.reverse_path != sent.reverse_path) Wrong(name + " came with another reverse-path");
  if (!message.content.ends_with(sent.content)) {
    Wrong(name + " did not arrive intact");
  } else {
    const std::string_view added =
        std::string_view(message.content).substr(0, message.content.size() - sent.content.size());
    if (added.starts_with("\r\n") || added.find("\r\n\r\n") != std::string_view::npos ||
        (!added.empty() && !added.ends_with("\r\n"))) {
      Wrong(name + ": what was added before it is not header fields");
    }
  }
  for (size_t i = 0; i < message.recipients.size(); ++i) {
    const std::string& address = message.recipients[i];
    const auto recipient = recipients_.find(Root(address));
    if (rerouted_.contains(address)) came_to_[address].push_back({message.taken_ns, message.clean});
    if (recipient == recipients_.end() || recipient->second.message != id) {
      Wrong(name + " arrived for " + address + ", for whom it was not meant");
    } else {
      recipient->second.copies.push_back({message.taken_ns, message.clean, message.dsn});
      if (message.dsn && message.recipients_ask[i] != recipient->second.asks) {
        Wrong(name + " for " + address + " came with \"" + message.recipients_ask[i] +
              "\" instead of \"" + recipient->second.asks + "\"");
      }
    }
  }
}

void Ledger::TakenDsn(const TakenMessage& message) {
  const std::string_view content = message.content;
  const std::string_view header = HeaderOf(content);
  const size_t quote = header.find("boundary=\"");
  if (quote == std::string_view::npos) return Wrong("a message from <> that is no DSN");
  const size_t from = quote + 10;
  const std::string boundary(header.substr(from, header.find('"', from) - from));
  if (!content.ends_with("--" + boundary + "--\r\n")) Wrong("a DSN did not arrive whole");
  const std::string id = ValueOf(header, "Message-ID: ");
  if (id.empty()) Wrong("a DSN without Message-ID");
  // Fields of each recipient (RFC 3464 2.3): a block that begins with Final-Recipient.
  static constexpr std::string_view kFinal = "Final-Recipient: rfc822;";
  bool any = false;
  for (size_t at = content.find(kFinal); at != std::string_view::npos;
       at = content.find(kFinal, at + 1)) {
    const std::string_view block =
        content.substr(at, std::min(content.find("\r\n\r\n", at), content.size()) + 2 - at);
    std::string address = ValueOf(block, kFinal);
    address.erase(0, address.find_first_not_of(' '));
    const std::string action = ValueOf(block, "Action: ");
    const auto found = recipients_.find(Root(address));
    if (found == recipients_.end()) {
      Wrong("a DSN about " + address + ", which nobody submitted");
      continue;
    }
    any = true;
    const std::string& sender = messages_.at(found->second.message).sent.reverse_path;
    for (const std::string& to : message.recipients) {
      if (to != sender) Wrong("the DSN about " + address + " went to " + to);
    }
    const Copy copy = {message.taken_ns, message.clean};
    if (action == "failed") {
      found->second.failures[id].push_back(copy);
    } else if (action == "delayed") {
      found->second.delays[id].push_back(copy);
    } else if (action == "relayed") {
      found->second.successes[id].push_back(copy);
    } else {
      Wrong("a DSN about " + address + " with action \"" + action + "\"");
    }
  }
  if (!any) Wrong("a DSN about nobody");
}

bool Ledger::RerouteOrdered(const std::string& recipient, const std::string& to) {
  const std::string root = Root(recipient);
  if (!recipients_.contains(root)) return false;
  CHECK(!recipients_.contains(to) && roots_.emplace(to, root).second);
  names_of_[root].push_back(to);
  return true;
}

bool Ledger::MayFail(const std::string& address) const {
  const auto fails = [this](const std::string& one) {
    return failing_domains_.contains(one.substr(one.find('@') + 1));
  };
  const auto names = names_of_.find(address);
  return fails(address) || (names != names_of_.end() &&
                            std::any_of(names->second.begin(), names->second.end(), fails));
}

bool Ledger::RetriedBetween(int64_t from_ns, int64_t to_ns) const {
  return std::any_of(retries_.begin(), retries_.end(), [&](int64_t retry_ns) {
    // It takes the relay a moment to come by.
    return retry_ns >= from_ns - options_.commit_ns && retry_ns <= to_ns;
  });
}

bool Ledger::DiedBetween(int64_t from_ns, int64_t to_ns) const {
  return std::any_of(deaths_.begin(), deaths_.end(),
                     [&](int64_t death_ns) { return death_ns >= from_ns && death_ns <= to_ns; });
}

bool Ledger::Excused(const Copy& copy) const {
  return !copy.clean || DiedBetween(copy.taken_ns, copy.taken_ns + options_.commit_ns);
}

// Nobody is told when mail from the null reverse-path fails, nor when a DSN does.
bool Ledger::VanishedLawfully(const std::string& address, const Message& message) const {
  // What its sender does not want to hear.
  if (!recipients_.at(address).Wants("FAILURE") &&
      (refused_.contains(address) || returned_.contains(address) || MayFail(address) ||
       options_.expire_ns == 0)) {
    return true;
  }
  const std::string& sender = message.sent.reverse_path;
  const std::string& last = sender.empty() ? address : sender;  // whom the last word was for
  if (sender.empty() && returned_.contains(address)) return true;
  return refused_.contains(last) || MayFail(last);
}

size_t Ledger::acknowledged() const {
  return static_cast<size_t>(
      std::count_if(recipients_.begin(), recipients_.end(),
                    [](const auto& entry) { return entry.second.promised; }));
}

bool Ledger::HasCause(const std::string& address, const Recipient& recipient) const {
  if (refused_.contains(address) || returned_.contains(address)) return true;
  if (MayFail(address)) return true;
  const int64_t expired_ns = messages_.at(recipient.message).submitted_ns + options_.expire_ns;
  return std::any_of(
      recipient.failures.begin(), recipient.failures.end(), [&](const auto& failure) {
        return std::any_of(failure.second.begin(), failure.second.end(),
                           [&](const Copy& copy) { return copy.taken_ns >= expired_ns; });
      });
}

// Whatever the order: a copy whose session broke may have lain in the network while a later one
// went through.
void Ledger::CheckCopies(const std::string& what, const std::vector<Copy>& copies,
                         std::vector<std::string>* wrong) const {
  const auto firm =
      std::count_if(copies.begin(), copies.end(), [&](const Copy& copy) { return !Excused(copy); });
  if (firm > 1) wrong->push_back(what + " came again though its first session ended well");
}

void Ledger::CheckRecipient(const std::string& address, const Recipient& recipient, bool queued,
                            std::vector<std::string>* wrong) const {
  const Message& message = messages_.at(recipient.message);
  const auto say = [&](const std::string& what) {
    wrong->push_back("message " + std::to_string(recipient.message) + " to " + address + ": " +
                     what);
  };
  const bool delivered = !recipient.copies.empty();
  const bool bounced = !recipient.failures.empty();
  const bool null_path = message.sent.reverse_path.empty();
  if (recipient.promised && !delivered && !bounced && !queued && !removing_.contains(address) &&
      !purging_.contains(address) && !VanishedLawfully(address, message)) {
    say("acknowledged and lost");
  }
  if ((delivered || bounced) && !message.dot_sent) say("came in though it was never sent whole");
  if ((delivered || bounced) && !recipient.accepted) say("came in though RCPT was refused");
  if (null_path && (bounced || !recipient.delays.empty())) say("a DSN to the null reverse-path");
  if (recipient.failures.size() > 1) say("more than one bounce");
  if (recipient.delays.size() > 1) say("more than one delay notice");
  CheckNotices(address, recipient, queued, wrong);
  if (bounced && !HasCause(address, recipient)) say("bounced without a cause");
  if (bounced && queued) say("bounced and still queued");
  const bool all_excused = std::all_of(recipient.copies.begin(), recipient.copies.end(),
                                       [&](const Copy& copy) { return Excused(copy); });
  if (delivered && bounced && !all_excused) say("delivered and bounced");
  if (delivered && queued && !all_excused) say("delivered and still queued");
  if (const auto removed = removed_.find(address); removed != removed_.end()) {
    const bool forgotten =
        DiedBetween(removed->second - options_.commit_ns, removed->second + options_.commit_ns);
    const bool later = std::any_of(
        recipient.copies.begin(), recipient.copies.end(),
        [&](const Copy& copy) { return copy.clean && copy.taken_ns > removed->second; });
    if (later && !forgotten) say("delivered after it had been removed");
    if (queued && !forgotten) say("removed and still queued");
    if (bounced && !forgotten) say("removed, and its sender was told that it failed");
  }
  if (const auto rerouted = rerouted_.find(address); rerouted != rerouted_.end()) {
    const auto came = came_to_.find(address);
    if (came != came_to_.end() &&
        std::any_of(came->second.begin(), came->second.end(),
                    [&](const Copy& copy) { return copy.taken_ns > rerouted->second; })) {
      say("delivered after it had been re-routed");
    }
  }
  if (const auto purged = purged_.find(address); purged != purged_.end()) {
    const bool later = std::any_of(
        recipient.copies.begin(), recipient.copies.end(),
        [&](const Copy& copy) { return copy.clean && copy.taken_ns > purged->second; });
    if (later) say("delivered after it had been purged");
    if (queued) say("purged and still queued");
    if (bounced) say("purged, and its sender was told that it failed");
  }
  CheckCopies("message " + std::to_string(recipient.message) + " to " + address, recipient.copies,
              wrong);
  for (const auto& [id, copies] : recipient.failures) {
    CheckCopies("the bounce of " + address, copies, wrong);
  }
  for (const auto& [id, copies] : recipient.delays) {
    CheckCopies("the delay notice about " + address, copies, wrong);
  }
}

void Ledger::CheckNotices(const std::string& address, const Recipient& recipient, bool queued,
                          std::vector<std::string>* wrong) const {
  const auto say = [&](const std::string& what) {
    wrong->push_back("message " + std::to_string(recipient.message) + " to " + address +
                     " (asks \"" + recipient.asks + "\"): " + what);
  };
  if (!recipient.failures.empty() && !recipient.Wants("FAILURE")) say("an unwanted bounce");
  if (!recipient.delays.empty() && !recipient.Wants("DELAY")) say("an unwanted delay notice");
  for (const auto& [id, copies] : recipient.successes) {
    CheckCopies("the success notice about " + address, copies, wrong);
  }
  const bool told = !recipient.successes.empty();
  if (told && !recipient.Wants("SUCCESS")) say("an unwanted notice of success");
  if (told && recipient.copies.empty()) say("a notice of success without delivery");
  if (told && queued) say("told that it is delivered, and still queued");
  if (recipient.successes.size() > 1) say("more than one notice of success");
  // A host without DSN has had it for good, and nobody else has: so the relay must have said so.
  const std::string& sender = messages_.at(recipient.message).sent.reverse_path;
  bool ours = !recipient.copies.empty();
  bool firm = false;
  for (const Copy& copy : recipient.copies) {
    ours = ours && !copy.dsn;
    firm = firm || !Excused(copy);
  }
  if (recipient.Wants("SUCCESS") && ours && firm && !told && !queued && !sender.empty() &&
      !refused_.contains(sender) && !MayFail(sender)) {
    say("delivered, and its sender was not told");
  }
  if (told && sender.empty()) say("a notice of success to the null reverse-path");
}

void Ledger::CheckArchive(const std::vector<std::string>& texts) {
  std::map<uint64_t, int> copies;
  for (const std::string& kept : texts) {
    const std::string text = WireOf(kept);
    const std::string_view header = HeaderOf(text);
    const std::string id = ValueOf(header, kIdName);
    if (id.empty()) {
      if (ValueOf(header, "Auto-Submitted: ").empty()) Wrong("an archive with mail of nobody's");
      continue;
    }
    const auto found = messages_.find(strtoull(id.c_str(), nullptr, 10));
    if (found == messages_.end() || !text.ends_with(found->second.sent.content)) {
      Wrong("the archive's copy of message " + id + " is not what was sent");
    } else if (++copies[found->first] > 1) {
      Wrong("a second copy of message " + id + " in the archive");
    }
  }
  for (const auto& [id, message] : messages_) {
    if (message.acknowledged && !copies.contains(id)) {
      Wrong("message " + std::to_string(id) + " is not in the archive");
    }
  }
}

std::vector<std::string> Ledger::Check(const std::set<std::string>& queued) const {
  std::vector<std::string> wrong = wrong_;
  for (const auto& [address, recipient] : recipients_) {
    size_t is_queued = queued.count(address);
    if (const auto names = names_of_.find(address); names != names_of_.end()) {
      for (const std::string& name : names->second) is_queued += queued.count(name);
    }
    if (is_queued > 1) wrong.push_back(address + " is queued as it was, and re-routed");
    CheckRecipient(address, recipient, is_queued > 0, &wrong);
  }
  return wrong;
}

}  // namespace outbox::simulation
