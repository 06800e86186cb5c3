// A draft's recipients: where each goes, and what its sender asked for of notifications.
#include <algorithm>

#include "core/check.h"
#include "queue/destination_key.h"
#include "queue/draft.h"

namespace outbox::queue {

RouteFacts Draft::Facts() const {
  RouteFacts facts;
  facts.sender = std::string_view(text_).substr(0, reverse_path_size_);
  facts.client = &client_;
  facts.draw = draw_;
  return facts;
}

Rejection Draft::AddRecipient(std::string_view address, const smtp::RecipientDsn& dsn) {
  return Add(router_->Route(address, Facts()), dsn);
}

Rejection Draft::AddWithoutMailbox(std::string_view address, const smtp::RecipientDsn& dsn) {
  return Add(router_->RouteNoMailbox(address, Facts()), dsn);
}

bool Draft::HasRecipient(std::string_view address) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return std::string_view(text_).substr(entry.address_at, entry.address_size) == address;
  });
}

Rejection Draft::Add(const RouteChoice& choice, const smtp::RecipientDsn& dsn) {
  if (choice.action == core::RouteAction::kReject && choice.decided) {
    return {choice.route, RejectText(choice.destination)};
  }
  if (choice.local && HasRecipient(choice.recipient)) return {};
  AddEntry(choice, dsn);
  return {};
}

void Draft::AddEntry(const RouteChoice& choice, const smtp::RecipientDsn& dsn) {
  const std::string_view address = choice.recipient;
  Entry entry;
  entry.address_at = static_cast<uint32_t>(text_.size());
  entry.address_size = static_cast<uint16_t>(address.size());
  text_.append(address);
  entry.notify = dsn.notify;
  entry.orcpt_at = static_cast<uint32_t>(text_.size());
  entry.orcpt_size = static_cast<uint16_t>(dsn.orcpt.size());
  text_.append(dsn.orcpt);
  entry.decided = choice.decided;
  undecided_ = undecided_ || !choice.decided;
  SetChoice(&entry, entries_.empty() ? nullptr : &entries_.back(), choice);
  entries_.push_back(entry);
}

// Decided now that all routes are known, and the message has all of its recipients.
void Draft::AddCopies() {
  const size_t recipients = entries_.size();
  std::string_view last;  // most messages have one archive at most
  for (size_t i = 0; i < recipients; ++i) {
    const std::string_view mailbox = router_->ArchiveOf(choices_[entries_[i].choice].index);
    if (mailbox.empty() || mailbox == last) continue;
    last = mailbox;
    const RouteChoice choice = router_->RouteArchive(mailbox);
    const bool goes_there = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.address_size == mailbox.size() && Key(entry) == choice.destination &&
             std::string_view(text_).substr(entry.address_at, entry.address_size) == mailbox;
    });
    // Nobody is told what becomes of a copy, not by another host either.
    if (!goes_there) AddEntry(choice, {smtp::kNotifyNever, {}});
  }
}

void Draft::SetChoice(Entry* entry, const Entry* before, const RouteChoice& choice) {
  if (before != nullptr && Key(*before) == choice.destination &&
      choices_[before->choice].retry_s.data() == choice.retry_s.data()) {
    entry->key_at = before->key_at;
    entry->key_size = before->key_size;
    entry->choice = before->choice;
    return;
  }
  entry->key_at = static_cast<uint32_t>(text_.size());
  entry->key_size = static_cast<uint16_t>(choice.destination.size());
  text_.append(choice.destination);
  entry->choice = static_cast<uint32_t>(choices_.size());
  choices_.push_back({choice.route, choice.retry_s, choice.periods, choice.index});
}

Rejection Draft::Decide(const smtp::BodySummary& summary) {
  if (!undecided_) return {};
  HeaderFields& header = pool_->header_;
  header.Clear();
  if (router_->needs_header()) header.Read(stream_.active() ? std::string_view(header_) : body());
  const Entry* before = nullptr;
  for (Entry& entry : entries_) {
    if (!entry.decided) {
      RouteFacts facts = Facts();  // text_ grows
      facts.header = &header;
      facts.size = std::max<uint64_t>(1, summary.message_size());
      const std::string_view text = text_;
      const RouteChoice choice =
          router_->Route(text.substr(entry.address_at, entry.address_size), facts);
      CHECK(choice.decided);
      if (choice.action == core::RouteAction::kReject) {
        return {choice.route, RejectText(choice.destination)};
      }
      SetChoice(&entry, before, choice);
      entry.decided = true;
    }
    before = &entry;
  }
  undecided_ = false;
  return {};
}

}  // namespace outbox::queue
