// Internationalised domain names: IDNA2008 (RFC 5890 to 5893), with the mapping of UTS 46
// (nontransitional), so that "BÜCHER.example" is "bücher.example".
//
// A domain has two forms: with U-labels, as people write it ("bücher.example"), and with A-labels,
// as the DNS knows it ("xn--bcher-kva.example"). An address is kept and shown as it came; what is
// compared, routed or looked up by is its *key*: the A-label form in lower case.
//
// Pure. ASCII, which is nearly everything, costs a copy and nothing else; the rest is libidn2's
// work, which allocates. Nothing else includes that library.
#ifndef OUTBOX_CORE_IDNA_H_
#define OUTBOX_CORE_IDNA_H_

#include <string>
#include <string_view>

namespace outbox::core {

// The A-label form of `domain` in lower case into `*out`. Null: it is there. Otherwise why the
// domain is invalid under IDNA2008, as static text to be read behind "is no domain: ", and `*out`
// is `domain` with ASCII letters in lower case. ASCII is not judged, and always comes out: whether
// it is a domain is the caller's to ask (core/domain_name.h). `out` must not hold `domain`.
const char* ToALabels(std::string_view domain, std::string* out);

// The form with U-labels, in lower case. An A-label that stands for nothing stays as it is.
std::string ToULabels(std::string_view domain);

// Whether the two forms may differ: an octet above 127, or a label that begins with "xn--".
bool HasTwoForms(std::string_view domain);

// What to compare by. Of what is invalid it is something that no valid domain has.
// A pattern "*.bücher.example" is taken for what it is.
std::string DomainKey(std::string_view domain);
// The same of "local@domain" (only ASCII letters of a local part have a lower case here), and of a
// text without "@" as if it were a local part.
std::string AddressKey(std::string_view address);
void SetAddressKey(std::string_view address, std::string* out);

// `address` for a host that takes nothing but ASCII: with A-labels, its local part as it is. False:
// the local part is not ASCII, or the domain is invalid. `out` must not hold `address`.
bool ToAsciiAddress(std::string_view address, std::string* out);

// What stands behind the last "@"; "" for none.
inline std::string_view DomainPart(std::string_view address) {
  const size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

// For messages to an operator: `what`, and why `domain` is invalid under IDNA2008 if it is that.
// "is no domain (a label has characters of both directions, RFC 5893)".
std::string WithIdnaReason(std::string_view what, std::string_view domain);

}  // namespace outbox::core

#endif  // OUTBOX_CORE_IDNA_H_
