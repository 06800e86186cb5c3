// The addresses in a field of a header section, or on a command line (RFC 5322 3.4).
//
// Display names, comments, groups and the blanks of folded lines fall away. An address without a
// domain gets one. What is no address is an error: mail must not silently go to fewer people.
#ifndef OUTBOX_TOOLS_SENDMAIL_ADDRESS_LIST_H_
#define OUTBOX_TOOLS_SENDMAIL_ADDRESS_LIST_H_

#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace outbox::tools {

// "Anna <anna@example.net>, sales: bob, (the boss) eve@example.org;" with the origin "here.example"
// is anna@example.net, bob@here.example, eve@example.org. Appends them to `out`. The error quotes
// what was not understood.
core::Status ReadAddressList(std::string_view text, std::string_view origin,
                             std::vector<std::string>* out);

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_SENDMAIL_ADDRESS_LIST_H_
