// ContentHash: the 64-bit hash by which the load tools recognise that a message arrived as it was
// sent.
//
// Of its own, and not the checksum that the spool uses, so that a fault in that one cannot hide
// here. Sixteen independent lanes over 128-byte blocks, one multiplication per eight bytes; each
// lane depends on all that came before in it, so that pieces in another order give another hash.
// The tools must stay cheap beside the relay that they measure, also with large messages: the
// processor's vectors are used where they can multiply, and every way gives the same. Not for
// anything adversarial.
#ifndef OUTBOX_TOOLS_LOAD_HASH_H_
#define OUTBOX_TOOLS_LOAD_HASH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace outbox::tools {

// A plain value: copying it in the middle forks the computation. How the input is cut into pieces
// makes no difference.
class ContentHash {
 public:
  static constexpr size_t kLanes = 16;
  static constexpr size_t kBlockBytes = kLanes * sizeof(uint64_t);
  using Lanes = std::array<uint64_t, kLanes>;

  void Update(std::string_view bytes);
  uint64_t Final() const;

  // The ways to mix whole blocks in, for tests. MixVectors REQUIRES HasVectors().
  static bool HasVectors();
  static void MixVectors(const char* blocks, size_t count, Lanes* lanes);
  static void MixPlain(const char* blocks, size_t count, Lanes* lanes);

 private:
  static void Mix(const char* blocks, size_t count, Lanes* lanes);

  Lanes lanes_ = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  uint64_t total_ = 0;
  char block_[kBlockBytes];
  size_t held_ = 0;  // bytes in block_
};

}  // namespace outbox::tools

#endif  // OUTBOX_TOOLS_LOAD_HASH_H_
