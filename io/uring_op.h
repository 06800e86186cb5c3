// What UringIo keeps in an Op's scratch words, and in user_data. Private to uring_io*.cc.
//
//   Connect   bytes 0 to 27: the address
//   Recv      word 0: the parking ticket
//   RecvInto  word 0: address, 1: size
//   Send      word 0: the parts' address, 1: their number, 2: bytes sent (low half) and in all
//   (high) Read      word 0: address, 1: size, 2: offset Write     word 0: the parts' address, 1:
//   their number, 2: offset helper    word 0: the job
//
// Bytes 24 to 27 hold the result of an operation that is ready; byte 28 its place, byte 29 its
// marks.
#ifndef OUTBOX_IO_URING_OP_H_
#define OUTBOX_IO_URING_OP_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "io/io.h"
#include "io/standing_receives.h"
#include "io/tcp_socket.h"

namespace outbox::io {

// The low bits of user_data say what completes. An Op's address has them clear.
enum UringTag : uint64_t {
  kTagOp = 0,
  kTagCancel = 1,   // a cancel that found nothing: of no interest
  kTagWake = 2,     // another ring's message
  kTagEvent = 3,    // our eventfd was written to
  kTagMessage = 4,  // our message to another ring failed; that ring's eventfd is above the tag
  kTagReceive = 5,  // a StandingReceive, whose address this is
  kTagMask = 7,
};
inline constexpr int kTagBits = 3;
static_assert(alignof(Op) > kTagMask);

inline uint64_t UserData(const Op* op) { return reinterpret_cast<uintptr_t>(op); }
inline uint64_t UserData(const StandingReceive* receive) {
  return reinterpret_cast<uintptr_t>(receive) | kTagReceive;
}

// Where a started operation is.
enum class UringPlace : unsigned char {
  kInKernel,
  kStanding,   // waits for what the socket's StandingReceive brings, or for its end
  kInBacklog,  // the submission queue was full
  kParked,     // a Recv that waits for a provided buffer
  kReady,      // has its result; delivered by the next turn
  kAtHelper,
  kAtLongHelper,
};

// The last receive left bytes in the socket: try at once instead of polling first. Outlives the
// operation, as a hint for the next one.
inline constexpr unsigned char kMarkNonempty = 1;
// Was parked before: has a ticket.
inline constexpr unsigned char kMarkTicket = 2;
// Its result is what the socket's StandingReceive has for it.
inline constexpr unsigned char kMarkEarly = 4;
// To be received once, without a standing receive.
inline constexpr unsigned char kMarkOnce = 8;

// The groups of provided buffers: of single receives, and of those that stand.
inline constexpr uint16_t kGroup = 0;
inline constexpr uint16_t kStandingGroup = 1;

inline constexpr size_t kReadyResultAt = 24;
inline constexpr size_t kPlaceAt = 28;
inline constexpr size_t kMarksAt = 29;
static_assert(sizeof(TcpAddress) <= kPlaceAt);

inline unsigned char* ScratchBytes(Op* op) { return reinterpret_cast<unsigned char*>(op->scratch); }

inline UringPlace PlaceOf(Op* op) { return static_cast<UringPlace>(ScratchBytes(op)[kPlaceAt]); }
inline void SetPlace(Op* op, UringPlace place) {
  ScratchBytes(op)[kPlaceAt] = static_cast<unsigned char>(place);
}

inline bool HasMark(Op* op, unsigned char mark) { return (ScratchBytes(op)[kMarksAt] & mark) != 0; }
inline void SetMark(Op* op, unsigned char mark, bool on) {
  unsigned char& marks = ScratchBytes(op)[kMarksAt];
  marks = static_cast<unsigned char>(on ? marks | mark : marks & ~mark);
}

inline int32_t ReadyResultOf(Op* op) {
  int32_t result;
  memcpy(&result, ScratchBytes(op) + kReadyResultAt, sizeof(result));
  return result;
}
inline void SetReadyResult(Op* op, int32_t result) {
  memcpy(ScratchBytes(op) + kReadyResultAt, &result, sizeof(result));
}

template <typename T>
uint64_t WordOf(T* pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

inline std::span<char> SpanIn(const Op* op) {
  return {reinterpret_cast<char*>(op->scratch[0]), static_cast<size_t>(op->scratch[1])};
}
inline std::span<const iovec> PartsIn(const Op* op) {
  return {reinterpret_cast<const iovec*>(op->scratch[0]), static_cast<size_t>(op->scratch[1])};
}
inline uint32_t SentIn(const Op* op) { return static_cast<uint32_t>(op->scratch[2]); }
inline uint32_t TotalIn(const Op* op) { return static_cast<uint32_t>(op->scratch[2] >> 32); }

}  // namespace outbox::io

#endif  // OUTBOX_IO_URING_OP_H_
