#include "core/status.h"

#include <cerrno>
#include <cstring>

namespace outbox::core {

const char* StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kInvalidArgument:
      return "invalid argument";
    case StatusCode::kNotFound:
      return "not found";
    case StatusCode::kAlreadyExists:
      return "already exists";
    case StatusCode::kPermissionDenied:
      return "permission denied";
    case StatusCode::kResourceExhausted:
      return "resource exhausted";
    case StatusCode::kUnavailable:
      return "unavailable";
    case StatusCode::kDataLoss:
      return "data loss";
    case StatusCode::kIoError:
      return "i/o error";
    case StatusCode::kCancelled:
      return "cancelled";
    case StatusCode::kUnimplemented:
      return "unimplemented";
  }
  return "unknown";
}

Status Status::FromErrno(int error, std::string_view what) {
  CHECK(error > 0);
  StatusCode code = StatusCode::kIoError;
  if (error == ENOSPC || error == EDQUOT) code = StatusCode::kResourceExhausted;
  if (error == EADDRINUSE) code = StatusCode::kUnavailable;
  std::string message(what);
  message += ": ";
  message += std::strerror(error);
  return Status(code, std::move(message));
}

std::string Status::ToString() const {
  if (ok()) return "ok";
  return std::string(StatusCodeName(code_)) + ": " + message_;
}

}  // namespace outbox::core
