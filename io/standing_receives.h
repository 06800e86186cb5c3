// StandingReceives: the receives that stay armed (multishot), one a socket, and what they brought
// while nobody had asked.
//
// A peer that speaks when it is spoken to sends no byte before it is waited for. For such a one a
// receive is armed once, and each Recv finds it standing: no submission, no arming. A peer that
// sends ahead has its bytes kept here, its receive ended, and is waited for one receive at a time
// from then on (`single`); so is one whose bytes go into memory of the owner's.
//
// Standing receives have buffers of their own: whoever floods can only make others receive as
// everybody did before there were standing ones.
//
// Owned by UringIo, used on its thread. Knows no ring.
#ifndef OUTBOX_IO_STANDING_RECEIVES_H_
#define OUTBOX_IO_STANDING_RECEIVES_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "io/io.h"

namespace outbox::io {

// What a receive brought before it was asked for.
struct EarlyBytes {
  uint32_t buffer = 0;
  uint32_t offset = 0;  // of what is left
  uint32_t size = 0;
};

// Of one socket. Its address is what the kernel returns: it stays until the receive has ended, also
// when the socket has been closed.
struct alignas(64) StandingReceive {
  Op* op = nullptr;        // the receive that waits for bytes
  int socket = kNoHandle;  // kNoHandle: closed
  bool armed = false;      // it is in the kernel
  bool ending = false;     // and has been cancelled
  bool single = false;     // not to be armed again
  bool ended = false;      // the stream has, unheard: by `end`
  int32_t end = 0;
  std::vector<EarlyBytes> early;
};

class StandingReceives {
 public:
  // That of the socket; null if it has none.
  StandingReceive* Find(Socket socket) const {
    const size_t place = static_cast<size_t>(socket);
    return socket >= 0 && place < by_socket_.size() ? by_socket_[place] : nullptr;
  }
  // The same; made if it has none.
  StandingReceive* Get(Socket socket);
  // The socket is closed, and its number may come again. The receive is forgotten when it is not
  // armed (any more): by this call or by Forget. REQUIRES: nothing early is left.
  void Close(StandingReceive* receive);
  // REQUIRES: closed, not armed.
  void Forget(StandingReceive* receive);

 private:
  std::vector<StandingReceive*> by_socket_;
  std::deque<StandingReceive> all_;
  std::vector<StandingReceive*> free_;
};

}  // namespace outbox::io

#endif  // OUTBOX_IO_STANDING_RECEIVES_H_
