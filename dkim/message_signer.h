// MessageSigner: the signatures of one message, from its first octet to its DKIM-Signature fields
// (RFC 6376 5).
//
// Made when its header section has come and is to be signed; given the body in wire form while that
// comes, in any pieces, or at the end; then asked for the fields, once. They go before all others
// of the message. Not tied to a thread: one at a time may use it.
#ifndef OUTBOX_DKIM_MESSAGE_SIGNER_H_
#define OUTBOX_DKIM_MESSAGE_SIGNER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "dkim/body_canon.h"
#include "dkim/header_section.h"
#include "dkim/signing_table.h"

namespace outbox::dkim {

class MessageSigner {
 public:
  // `header`: the header section in wire form, without the empty line at its end. `table` keeps
  // what the selection, which is not empty, refers to; `domain` is what it was asked about.
  MessageSigner(std::shared_ptr<const SigningTable> table, std::string_view domain,
                std::string_view header);
  MessageSigner(const MessageSigner&) = delete;
  MessageSigner& operator=(const MessageSigner&) = delete;

  void AppendBody(std::string_view wire);

  // Some key takes long (SignerKey::slow).
  bool slow() const { return slow_; }

  // Appends the fields, whole lines in wire form, to `out`. `added`: the fields that we put before
  // the message. An error says why a signature is missing, in a sentence for the log; those that
  // could be made are there. The last call.
  core::Status Sign(std::string_view added, int64_t now_wall_ns, std::string* out);

 private:
  core::Status SignOne(const Selection::One& one, const HeaderSection& section, int64_t now_s,
                       std::string* out);
  // The names of h=, and the canonical form of what they name. False: too many.
  static bool CoverFields(const core::DkimConfig& rule, const HeaderSection& section,
                          std::vector<std::string_view>* names, std::string* canonical);

  const std::shared_ptr<const SigningTable> table_;
  const std::string domain_;
  const std::string header_;
  Selection selection_;
  DotReader dots_;
  // Of these, those that some signature wants.
  std::optional<BodyHash> simple_;
  std::optional<BodyHash> relaxed_;
  Digest simple_digest_ = {};
  Digest relaxed_digest_ = {};
  bool slow_ = false;
};

}  // namespace outbox::dkim

#endif  // OUTBOX_DKIM_MESSAGE_SIGNER_H_
