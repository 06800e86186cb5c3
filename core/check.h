// CHECK: assertions that stay on in every build.
//
// CHECK is for our own mistakes only: a broken invariant stops the process before it can
// acknowledge or lose mail in a state that nobody designed. Bytes from a peer, from a file or from
// an operator never reach a CHECK; they are answered with an error value (core/status.h).
#ifndef OUTBOX_CORE_CHECK_H_
#define OUTBOX_CORE_CHECK_H_

namespace outbox::core {

// Prints "file:line: CHECK failed: expression" to stderr and aborts. Never returns.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace outbox::core

#define CHECK(condition)                             \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::outbox::core::CheckFailed(__FILE__, __LINE__, #condition))

#endif  // OUTBOX_CORE_CHECK_H_
