// TlsChannel: what an encrypted Connection has and a plain one has not.
//
// Bytes out: a record at a time is encrypted from the owner's memory into a block, and sent from
// there; the block goes back when nothing is to be sent. Bytes in: what a receive brings is
// decrypted into memory of the shard, all of it at once, and shown to the owner. So an idle
// encrypted connection has neither.
#ifndef OUTBOX_IO_TLS_CHANNEL_H_
#define OUTBOX_IO_TLS_CHANNEL_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "io/tls_stream.h"

namespace outbox::io {

// What the encrypted connections of a shard share.
class TlsMemory {
 public:
  using Block = std::unique_ptr<char[]>;
  // One full record.
  static constexpr size_t kBlockBytes = TlsStream::kRecordText + TlsStream::kRecordOverhead;

  Block Take() {
    if (free_.empty()) return Block(new char[kBlockBytes]);
    Block block = std::move(free_.back());
    free_.pop_back();
    return block;
  }
  void Give(Block block) {
    CHECK(block != nullptr);
    if (free_.size() < kBlocksKept) free_.push_back(std::move(block));
  }
  // Room for the plain text of one receive: used during a call only.
  std::span<char> Scratch() {
    if (scratch_ == nullptr) scratch_ = Block(new char[kScratchBytes]);
    return {scratch_.get(), kScratchBytes};
  }

 private:
  static constexpr size_t kBlocksKept = 64;
  static constexpr size_t kScratchBytes = size_t{48} << 10;

  std::vector<Block> free_;
  Block scratch_;
};

struct TlsChannel {
  TlsChannel(std::unique_ptr<TlsStream> of, TlsMemory* shared)
      : stream(std::move(of)), memory(shared) {}

  const std::unique_ptr<TlsStream> stream;
  TlsMemory* const memory;
  enum class Phase : uint8_t {
    kHandshake,
    kOpening,  // it is over; its last bytes are being sent, then comes OnTls
    kFailing,  // likewise, in vain
    kOpen,
  };
  Phase phase = Phase::kHandshake;
  bool ended = false;     // the peer has said that it sends no more
  bool broken = false;    // the stream is of no more use
  bool more = false;      // there is plain text in the stream
  bool closing = false;   // we have said that we send no more
  bool shutdown = false;  // FIN behind what is being sent
  // Bytes of the peer that the stream has not seen.
  std::string kept;

  // The owner's send.
  bool sending = false;
  std::span<const iovec> parts;
  size_t part = 0;     // the next to be encrypted
  size_t part_at = 0;  // and of that so much has been
  size_t taken = 0;    // of all
  // Encrypted bytes, of which `sent` have been sent.
  TlsMemory::Block block;
  size_t filled = 0;
  size_t sent = 0;
  iovec raw = {};
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_TLS_CHANNEL_H_
