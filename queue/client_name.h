// ClientName: who a client has said that it is (RFC 4954), for logs and header fields.
#ifndef OUTBOX_QUEUE_CLIENT_NAME_H_
#define OUTBOX_QUEUE_CLIENT_NAME_H_

#include <string_view>

namespace outbox::queue {

// Views into what lives longer. Empty: it has said nothing.
struct ClientName {
  std::string_view user;
  std::string_view mechanism;  // "PLAIN"
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_CLIENT_NAME_H_
