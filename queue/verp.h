// VERP: a return path for each recipient, so that a bounce says by its address whom it is about.
//
//   news@lists.example  to  anna@example.net   with "+="   news+anna=example.net@lists.example
//
// A recipient's domain stands there with A-labels, for in a local part it has no other form. A
// route asks for it, and its destination key says so (queue/destination_key.h). The message keeps
// its own return path: the other one is made when it is sent, one recipient a transaction, and when
// a failure of it is reported. Pure.
#ifndef OUTBOX_QUEUE_VERP_H_
#define OUTBOX_QUEUE_VERP_H_

#include <string>
#include <string_view>

namespace outbox::queue {

// Writes that address. Returns null; else why the plain return path has to do: it is null, the
// result would be longer than addresses are (RFC 5321 4.5.3.1), or could not be written without
// quotes. `separators`: two characters.
const char* MakeVerp(std::string_view return_path, std::string_view recipient,
                     std::string_view separators, std::string* out);

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_VERP_H_
