// Names: whoever answers the doctor's questions to the DNS, one at a time.
//
// The judges (spf_check, sending_checks, ...) speak to this, so that their tests need no network.
#ifndef OUTBOX_TOOLS_DOCTOR_NAMES_H_
#define OUTBOX_TOOLS_DOCTOR_NAMES_H_

#include <string_view>

#include "dns/answer.h"

namespace outbox::tools {

class Names {
 public:
  virtual ~Names() = default;

  // What the DNS says; never null. `name` in any case, with or without a final dot; one that cannot
  // be asked for (dns/codec.h) does not exist.
  virtual dns::AnswerPtr Ask(std::string_view name, dns::RecordType type) = 0;
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_DOCTOR_NAMES_H_
