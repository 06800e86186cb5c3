#include "queue/attempt_dsn.h"

#include "queue/outcome.h"
#include "queue/ticket.h"

namespace outbox::queue {

AttemptDsn::AttemptDsn(const MetaView& meta, const Ticket& ticket)
    : text_(meta.dsn().envid()), envid_size_(text_.size()) {
  envelope_.ret = meta.dsn().ret();
  meta.dsn().ForEach([&](uint32_t index, const smtp::RecipientDsn& dsn) {
    if (index < ticket.first || index - ticket.first >= 64) return;
    const auto bit = static_cast<uint8_t>(index - ticket.first);
    if ((ticket.mask >> bit & 1) == 0) return;
    entries_.push_back({bit, dsn.notify, static_cast<uint32_t>(text_.size()),
                        static_cast<uint32_t>(dsn.orcpt.size())});
    text_.append(dsn.orcpt);
    if ((dsn.notify & smtp::kNotifySuccess) != 0) wants_success_ |= uint64_t{1} << bit;
  });
  // Nobody is told of mail from nobody.
  if (meta.reverse_path().empty()) wants_success_ = 0;
}

const smtp::EnvelopeDsn* AttemptDsn::Begin(std::span<const uint8_t> bits) {
  const std::string_view text = text_;
  recipients_.assign(bits.size(), {});
  size_t at = 0;
  for (size_t i = 0; i < bits.size(); ++i) {
    while (at < entries_.size() && entries_[at].bit < bits[i]) ++at;
    if (at == entries_.size() || entries_[at].bit != bits[i]) continue;
    const Entry& entry = entries_[at];
    recipients_[i] = {entry.notify, text.substr(entry.orcpt_at, entry.orcpt_size)};
  }
  envelope_.envid = text.substr(0, envid_size_);
  envelope_.recipients = recipients_;
  return &envelope_;
}

void AttemptDsn::OnDelivered(uint64_t bit, const smtp::RecipientResult& result,
                             std::string_view mailhost, Ticket* ticket) const {
  if ((wants_success_ >> bit & 1) == 0 || result.told_dsn) return;
  Confirmation confirmation;
  RecipientResult& words = confirmation.words;
  words.recipient = static_cast<uint16_t>(ticket->first + bit);
  words.verdict = Verdict::kDelivered;
  words.code = result.reply.code;
  words.enhanced = EnhancedText(result.reply.enhanced);
  words.text.assign(result.reply.text);
  confirmation.mailhost.assign(mailhost);
  ticket->result->confirm.push_back(std::move(confirmation));
}

}  // namespace outbox::queue
