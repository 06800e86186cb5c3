#include "core/secret.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "core/check.h"
#include "core/limits.h"

namespace outbox::core {

std::shared_ptr<const Secret> Secret::Copy(std::string_view text) {
  CHECK(!text.empty() && text.size() <= kConfigSecretBytes);
  const auto unit = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = (text.size() + unit - 1) / unit * unit;
  void* const page =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  if (madvise(page, bytes, MADV_DONTDUMP) != 0) {
    munmap(page, bytes);
    return nullptr;
  }
  mlock(page, bytes);  // without the right to it the page may be swapped out
  std::memcpy(page, text.data(), text.size());
  return std::shared_ptr<const Secret>(new Secret(static_cast<char*>(page), bytes, text.size()));
}

Secret::~Secret() {
  explicit_bzero(page_, page_bytes_);
  munmap(page_, page_bytes_);
}

}  // namespace outbox::core
