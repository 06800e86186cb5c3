#include "queue/draft_signing.h"

#include <utility>

#include "core/limits.h"
#include "dkim/header_section.h"

namespace outbox::queue {

void DraftSigning::Append(std::string_view bytes) {
  if (chosen_) {
    if (signer_ != nullptr) signer_->AppendBody(bytes);
    return;
  }
  const size_t room = core::kDkimHeaderBytes + 2 - header_.size();  // with the empty line
  header_.append(bytes.substr(0, room));
  if (dkim::FindHeaderEnd(header_, &header_line_)) {
    Choose();
    // What has come of the body is in the one or the other.
    if (signer_ != nullptr) {
      signer_->AppendBody(dkim::BodyBehind(header_, header_line_));
      if (bytes.size() > room) signer_->AppendBody(bytes.substr(room));
    }
  } else if (bytes.size() >= room) {
    Choose();
    if (signer_ != nullptr) why_not_ = kHeaderTooLong;
    signer_.reset();
  }
  if (chosen_) std::string().swap(header_);
}

void DraftSigning::Choose() {
  chosen_ = true;
  const std::string_view header = std::string_view(header_).substr(0, header_line_);
  signer_ = line_->Choose(table_, header, sender_, &why_not_);
}

std::unique_ptr<dkim::MessageSigner> DraftSigning::TakeSigner(const char** why_not) {
  *why_not = why_not_;
  return std::move(signer_);
}

}  // namespace outbox::queue
