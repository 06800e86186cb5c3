// Commands: one SMTP command line, parsed (RFC 5321 4.1.1, parameters of RFC 1870, RFC 3461, RFC
// 4954, RFC 6152 and RFC 6531, BDAT of RFC 3030).
#ifndef OUTBOX_SMTP_COMMAND_H_
#define OUTBOX_SMTP_COMMAND_H_

#include <cstdint>
#include <string_view>

#include "smtp/address.h"
#include "smtp/dsn_parameters.h"
#include "smtp/reply.h"

namespace outbox::smtp {

enum class Verb : uint8_t {
  kEhlo,
  kHelo,
  kMail,
  kRcpt,
  kData,
  kRset,
  kNoop,
  kVrfy,
  kHelp,
  kQuit,
  kStartTls,
  kBdat,
  kAuth,
  kUnimplemented,  // a command of some SMTP extension that we do not offer: 502
  kUnknown,        // 500
};

// BODY= of RFC 6152.
enum class BodyType : uint8_t { kUnspecified, k7Bit, k8BitMime };

struct Command {
  Verb verb = Verb::kUnknown;
  // EHLO, HELO: the name; VRFY, HELP, NOOP, AUTH: whatever follows. A view into the line.
  std::string_view argument;
  Path path;  // MAIL: reverse-path, RCPT: forward-path
  uint64_t declared_size = 0;
  bool has_size = false;
  bool has_auth = false;  // AUTH= of RFC 4954 5, which is taken and not believed
  BodyType body = BodyType::kUnspecified;
  uint64_t chunk_size = 0;  // BDAT: octets behind the line; UINT64_MAX: as many, or more
  bool last_chunk = false;  // BDAT: with LAST
  bool smtp_utf8 = false;    // MAIL, VRFY: the parameter SMTPUTF8 (RFC 6531 3.4)
  uint16_t utf8_column = 0;  // MAIL, RCPT: where the path has an octet above 127; 0: nowhere
  DsnReturn ret = DsnReturn::kUnspecified;
  std::string_view envid;  // MAIL: xtext as written; empty: not given
  RecipientDsn dsn;        // RCPT

  // code 0: the command is well formed. Otherwise the reply that it deserves; the text is static,
  // except that `error_column` (1-based, 0: none) tells where in the line the trouble begins.
  Reply refusal;
  uint16_t error_column = 0;

  bool ok() const { return refusal.code == 0; }
};

// Parses one line, without its CRLF. `extended`: the client said EHLO, so parameters are allowed.
// Tolerated, as senders in the field need it: spaces around the path ("MAIL FROM: <a@b>") and at
// the end of the line. Only a domain with U-labels costs memory.
Command ParseCommand(std::string_view line, bool extended);

// 553 5.6.7: the path is not ASCII, and the transaction was begun without SMTPUTF8 (RFC 6531 3.5).
// MAIL has been refused so already; of RCPT the session knows. REQUIRES: utf8_column > 0.
void RefuseUtf8(Command* command);

// "MAIL", for logs.
const char* VerbName(Verb verb);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_COMMAND_H_
