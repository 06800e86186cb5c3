// Status and Result: errors as values.
//
// Outbox is built without exceptions. A function that can fail because of something outside of us
// (a peer, a file, an operator) returns a Status, or a Result when it also makes a value. The
// message is for a person: what happened, where, and what was expected.
#ifndef OUTBOX_CORE_STATUS_H_
#define OUTBOX_CORE_STATUS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/check.h"

namespace outbox::core {

enum class StatusCode : uint8_t {
  kOk,
  kInvalidArgument,  // malformed input: configuration, command line, protocol
  kNotFound,
  kAlreadyExists,
  kPermissionDenied,
  kResourceExhausted,  // no space, no memory slot, a bound was reached
  kUnavailable,        // may work later: the other side is not there now
  kDataLoss,           // something durable is damaged
  kIoError,            // the system refused a read, a write or a call
  kCancelled,
  kUnimplemented,
};

// The lower-case name of a code ("ok", "data loss"), for logs.
const char* StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  // A kIoError (or kResourceExhausted for ENOSPC and EDQUOT) that reads "what: strerror".
  // REQUIRES: error > 0, an errno value.
  static Status FromErrno(int error, std::string_view what);

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // "ok", or "code name: message".
  std::string ToString() const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return Status(); }

// A value or the Status that explains its absence. The Status of a Result that holds a value is ok.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit by intention
  Result(Status status) : status_(std::move(status)) { CHECK(!status_.ok()); }  // NOLINT: likewise

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // REQUIRES: ok().
  T& value() & {
    CHECK(ok());
    return *value_;
  }
  const T& value() const& {
    CHECK(ok());
    return *value_;
  }
  T&& value() && {
    CHECK(ok());
    return std::move(*value_);
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_STATUS_H_
