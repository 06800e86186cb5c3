#include "core/byte_size.h"

#include <charconv>

namespace outbox::core {
namespace {

struct Unit {
  std::string_view name;
  uint64_t bytes;
};

constexpr Unit kUnits[] = {
    {"", 1},
    {"TiB", uint64_t{1} << 40},
    {"GiB", uint64_t{1} << 30},
    {"MiB", uint64_t{1} << 20},
    {"KiB", uint64_t{1} << 10},
    {"TB", 1'000'000'000'000},
    {"GB", 1'000'000'000},
    {"MB", 1'000'000},
    {"KB", 1'000},
    {"B", 1},
};

Status Malformed(std::string_view text) {
  std::string message = "\"";
  message.append(text).append(
      "\" is not a size; expected for example \"64KiB\", \"50MiB\", \"10MB\" or a number of bytes");
  return Status(StatusCode::kInvalidArgument, std::move(message));
}

}  // namespace

Result<uint64_t> ParseByteSize(std::string_view text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || text[0] == '-') return Malformed(text);
  const std::string_view name = text.substr(static_cast<size_t>(after - text.data()));
  for (const Unit& unit : kUnits) {
    if (unit.name != name) continue;
    if (static_cast<uint64_t>(number) > uint64_t{INT64_MAX} / unit.bytes) return Malformed(text);
    return static_cast<uint64_t>(number) * unit.bytes;
  }
  return Malformed(text);
}

std::string FormatByteSize(uint64_t bytes) {
  for (const Unit& unit : kUnits) {
    if (unit.name.size() != 3 || bytes == 0 || bytes % unit.bytes != 0) continue;
    return std::to_string(bytes / unit.bytes).append(unit.name);
  }
  return std::to_string(bytes).append("B");
}

}  // namespace outbox::core
