// Secret: a password in memory that no core file and no swapped page shows.
//
// A page of its own that is left out of core files (madvise(2), MADV_DONTDUMP), locked where the
// process may lock memory, and overwritten before it goes back. Nothing prints one: there is no
// operator<<, and the text is asked for by its owner alone. Immutable, so threads may share it.
#ifndef OUTBOX_CORE_SECRET_H_
#define OUTBOX_CORE_SECRET_H_

#include <cstddef>
#include <memory>
#include <string_view>

namespace outbox::core {

class Secret {
 public:
  // A copy of `text`, which the caller wipes; null when there is no memory. REQUIRES: 1 to
  // kConfigSecretBytes.
  static std::shared_ptr<const Secret> Copy(std::string_view text);
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  std::string_view text() const { return {page_, size_}; }

 private:
  Secret(char* page, size_t page_bytes, size_t size)
      : page_(page), page_bytes_(page_bytes), size_(size) {}

  char* const page_;
  const size_t page_bytes_;
  const size_t size_;
};

}  // namespace outbox::core

#endif  // OUTBOX_CORE_SECRET_H_
