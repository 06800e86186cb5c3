// DsnParameters: what a client asks for of delivery status notifications (RFC 3461 4): RET and
// ENVID with MAIL, NOTIFY and ORCPT with each RCPT.
//
// Values are kept as they were written, in xtext: so a relay passes on what it was given, octet for
// octet (5.2.1). Decoded they are what a notification says (RFC 3464 2.2.1, 2.3.1).
#ifndef OUTBOX_SMTP_DSN_PARAMETERS_H_
#define OUTBOX_SMTP_DSN_PARAMETERS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace outbox::smtp {

// RET: how much of the message comes back with a failure (4.3).
enum class DsnReturn : uint8_t { kUnspecified, kFull, kHeaders };

// NOTIFY, as bits (4.1); 0: it was not given, and the sender hears of failures, and of delays as
// the relay thinks fit. kNotifyNever stands alone.
using NotifyBits = uint8_t;
inline constexpr NotifyBits kNotifySuccess = 1;
inline constexpr NotifyBits kNotifyFailure = 2;
inline constexpr NotifyBits kNotifyDelay = 4;
inline constexpr NotifyBits kNotifyNever = 8;

// The bits are 0 or what some NOTIFY= says.
constexpr bool IsNotify(NotifyBits bits) { return bits == kNotifyNever || bits < kNotifyNever; }
// A sender that has said `notify` wants to hear of this (one of the first three bits).
constexpr bool Wants(NotifyBits notify, NotifyBits what) {
  return notify == 0 ? what != kNotifySuccess : (notify & what) != 0;
}

// Octets, decoded (4.2, 4.4).
inline constexpr size_t kEnvidOctetsMax = 100;
inline constexpr size_t kOrcptOctetsMax = 500;

// Of a RCPT command. Views into whatever was parsed.
struct RecipientDsn {
  NotifyBits notify = 0;
  std::string_view orcpt;  // "rfc822;anna+2Bbox@example.com"; empty: not given

  bool empty() const { return notify == 0 && orcpt.empty(); }
};

// Of an envelope that has any such parameters.
struct EnvelopeDsn {
  DsnReturn ret = DsnReturn::kUnspecified;
  std::string_view envid;                    // xtext; empty: not given
  std::span<const RecipientDsn> recipients;  // of all of the envelope's, in order
};

// What is wrong with a value: a sentence for a person, and the octet of the value at which it
// begins. Null: nothing.
struct DsnError {
  const char* what = nullptr;
  size_t at = 0;
};

// The values of the four parameters, in any case where case means nothing.
DsnError ParseReturn(std::string_view value, DsnReturn* out);
DsnError ParseNotify(std::string_view value, NotifyBits* out);
DsnError CheckEnvid(std::string_view value);
// Of an address that is not ASCII the xtext stands for UTF-8, as relays write it
// ("rfc822;j+C3+B6rg"), or for the utf-8-addr-xtext of RFC 6533 ("utf-8;j\x{F6}rg").
DsnError CheckOrcpt(std::string_view value);

// "SUCCESS,DELAY", "NEVER"; "" for 0. REQUIRES: IsNotify(notify).
std::string_view NotifyText(NotifyBits notify);
// "FULL", "HDRS"; "" for kUnspecified.
std::string_view ReturnText(DsnReturn ret);

// RFC 3461 4; it may stand for any octets.
bool IsXtext(std::string_view text);
// What is no hexchar is decoded as it is.
std::string DecodeXtext(std::string_view xtext);
std::string EncodeXtext(std::string_view text);

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_DSN_PARAMETERS_H_
