// Ring: one io_uring, spoken to in plain data.
//
// The only file that knows liburing is ring.cc. Ring knows nothing of operations and their owners:
// it turns calls into submissions, and completions into values; what belongs together is joined by
// `user_data`. UringIo is its only user.
//
// Every Prepare function returns false when the submission queue is full and the kernel takes
// nothing at the moment; then nothing has happened and the caller tries again after the next Enter.
//
// Belongs to the thread that calls Enable(). Before that the queue can be filled, not submitted.
#ifndef OUTBOX_IO_RING_H_
#define OUTBOX_IO_RING_H_

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/status.h"

struct io_uring;
struct io_uring_sqe;

namespace outbox::io {

class Ring {
 public:
  struct Options {
    uint32_t submission_entries = 0;  // a power of two
    uint32_t completion_entries = 0;  // a power of two; cut to the kernel's maximum
    bool single_issuer = true;        // use it if the kernel has it
    bool defer_taskrun = true;        // likewise; implies single_issuer
  };

  struct Completion {
    uint64_t user_data = 0;
    int32_t result = 0;
    uint16_t buffer = 0;      // valid with has_buffer
    bool has_buffer = false;  // a provided buffer was used up
    bool more = false;        // the submission will complete again
    bool nonempty = false;    // a receive that left bytes behind
  };

  static core::Result<std::unique_ptr<Ring>> Create(const Options& options);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Binds the ring to the calling thread. Once.
  void Enable();

  int fd() const;
  bool has_message() const { return has_message_; }
  bool single_issuer() const;
  bool defers_taskrun() const;
  uint64_t enters() const { return enters_; }

  // Gives the kernel `entries` provided buffers in a ring of shared memory (io/buffer_pool.h) as
  // that group. False if the kernel has no such rings.
  bool RegisterBufferRing(uint16_t group, void* memory, uint32_t entries);

  bool PrepareAccept(int socket, bool multishot, uint64_t user_data);
  // `address` stays in place until submitted.
  bool PrepareConnect(int socket, const sockaddr* address, socklen_t size, uint64_t user_data);
  // Into a provided buffer of the group; with `multishot` again and again, until it fails, ends or
  // is cancelled, a completion each. With `poll_first`, does not try before the socket is readable.
  bool PrepareReceiveProvided(int socket, uint16_t group, bool multishot, bool poll_first,
                              uint64_t user_data);
  bool PrepareReceive(int socket, std::span<char> into, bool poll_first, uint64_t user_data);
  bool PreparePollReadable(int file, bool multishot, uint64_t user_data);
  // Both send everything as long as nothing fails; the result is what was sent.
  bool PrepareSend(int socket, const iovec& part, uint64_t user_data);
  bool PrepareSendParts(int socket, std::span<const iovec> parts, uint64_t user_data);
  bool PrepareRead(int file, std::span<char> into, uint64_t offset, uint64_t user_data);
  bool PrepareWrite(int file, const iovec& part, uint64_t offset, uint64_t user_data);
  bool PrepareWriteParts(int file, std::span<const iovec> parts, uint64_t offset,
                         uint64_t user_data);
  // Cancels the submission with `target`. Completes (as `user_data`) only when there is none.
  bool PrepareCancel(uint64_t target, uint64_t user_data);
  // Makes a completion `message` on another ring. Completes here (as `user_data`) only when it
  // fails.
  bool PrepareMessage(int ring_fd, uint64_t message, uint64_t user_data);

  // Submits what is prepared, if anything is.
  void Submit();
  // Submits what is prepared and lets the kernel post what has completed. With `wait_ns` > 0, waits
  // for a completion at most so long (core::kNever: without limit); a signal ends the wait early.
  void Enter(int64_t wait_ns);
  // Completions that are there now.
  uint32_t ready() const;
  // True while completions had to be put aside because the queue was full; they are not lost.
  bool overflowing() const;
  // Moves up to out.size() completions into `out`; returns the moved ones.
  std::span<Completion> Take(std::span<Completion> out);

 private:
  explicit Ring(std::unique_ptr<io_uring> ring);

  io_uring_sqe* NextEntry();

  std::unique_ptr<io_uring> ring_;
  // The message headers of PrepareSendParts, one for each place in the submission queue: the kernel
  // reads a header when it takes the submission, not later.
  std::vector<msghdr> headers_;
  bool enabled_ = false;
  bool has_message_ = false;
  uint64_t enters_ = 0;
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_RING_H_
