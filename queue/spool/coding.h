// Little-endian fields in byte buffers, as the spool's format has them.
#ifndef OUTBOX_QUEUE_SPOOL_CODING_H_
#define OUTBOX_QUEUE_SPOOL_CODING_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace outbox::queue {

static_assert(std::endian::native == std::endian::little,
              "the format is read and written in place");

template <typename T>
inline T Get(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}
template <typename T>
inline void Put(char* at, T value) {
  std::memcpy(at, &value, sizeof(T));
}
template <typename T>
inline void Add(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

inline constexpr uint32_t Align(uint32_t bytes, uint32_t unit) {
  return (bytes + unit - 1) / unit * unit;
}
inline constexpr uint32_t Align8(uint32_t bytes) { return (bytes + 7) & ~uint32_t{7}; }

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_CODING_H_
