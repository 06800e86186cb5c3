// OutputBuffer: bounded memory that a session writes commands or replies to.
//
// The memory belongs to the driver, which lends it and sends what is in it. A session looks at
// room() before it writes; it never writes more than fits.
#ifndef OUTBOX_SMTP_OUTPUT_BUFFER_H_
#define OUTBOX_SMTP_OUTPUT_BUFFER_H_

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "core/check.h"

namespace outbox::smtp {

class OutputBuffer {
 public:
  OutputBuffer() = default;
  explicit OutputBuffer(std::span<char> memory) : memory_(memory) {}

  size_t room() const { return memory_.size() - size_; }
  bool empty() const { return size_ == 0; }
  std::string_view written() const { return {memory_.data(), size_}; }
  void Clear() { size_ = 0; }

  // REQUIRES: text.size() <= room().
  void Append(std::string_view text) {
    CHECK(text.size() <= room());
    if (text.empty()) return;
    std::memcpy(memory_.data() + size_, text.data(), text.size());
    size_ += text.size();
  }

  // For who writes by itself: where the next octet goes, and how many were written there.
  // REQUIRES: size <= room().
  char* end() { return memory_.data() + size_; }
  void Extend(size_t size) {
    CHECK(size <= room());
    size_ += size;
  }

 private:
  std::span<char> memory_;
  size_t size_ = 0;
};

}  // namespace outbox::smtp

#endif  // OUTBOX_SMTP_OUTPUT_BUFFER_H_
