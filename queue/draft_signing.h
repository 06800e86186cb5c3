// DraftSigning: what a draft needs while its message is large and may get a signature: a large body
// goes to the disk as it comes, so that it must be looked at on the way.
//
// The header section is kept until it has ended, then somebody signs or nobody does, and from there
// on the body is hashed. Shard-local; belongs to one draft.
#ifndef OUTBOX_QUEUE_DRAFT_SIGNING_H_
#define OUTBOX_QUEUE_DRAFT_SIGNING_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "dkim/message_signer.h"
#include "dkim/signing_table.h"
#include "queue/signing_line.h"

namespace outbox::queue {

class DraftSigning {
 public:
  DraftSigning(SigningLine* line, std::shared_ptr<const dkim::SigningTable> table,
               std::string_view sender)
      : line_(line), table_(std::move(table)), sender_(sender) {}

  // The next octets of the message in wire form.
  void Append(std::string_view bytes);
  // Everything has come. Null: nobody signs; `*why_not` as SigningLine::Choose has it.
  std::unique_ptr<dkim::MessageSigner> TakeSigner(const char** why_not);

 private:
  void Choose();

  SigningLine* const line_;
  const std::shared_ptr<const dkim::SigningTable> table_;
  const std::string sender_;
  std::string header_;  // until it has ended
  size_t header_line_ = 0;
  bool chosen_ = false;
  std::unique_ptr<dkim::MessageSigner> signer_;
  const char* why_not_ = nullptr;
};

// What is said of a message that would be signed if its header section were not longer than
// core::kDkimHeaderBytes.
inline constexpr char kHeaderTooLong[] = "its header section is longer than 64 KiB";

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_DRAFT_SIGNING_H_
