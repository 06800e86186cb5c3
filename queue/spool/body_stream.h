// BodyStream: the body of a big message on its way into extents, while it arrives.
//
// Embedded in whoever receives (a connection); may be used again after it has ended. Its memory is
// two aligned buffers of the store's, bounded for all streams of a log together: the bytes are
// received straight into them and written from them to an extent segment as soon as one is full.
// When both are being written, or other streams have all buffers (at the very beginning, too),
// room() is empty until on_room is called: that is how a client that outruns the disk is parked.
// What a crash leaves behind is swept at recovery, since no meta names it.
//
//   idle --Store::BeginStream--> filling --Finish--> finishing --> finished (extents durable)
//   finished --AppendOp::stream, committed--> idle;  any --Abort--> idle
#ifndef OUTBOX_QUEUE_SPOOL_BODY_STREAM_H_
#define OUTBOX_QUEUE_SPOOL_BODY_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/intrusive_list.h"
#include "core/status.h"
#include "queue/message_meta.h"

namespace outbox::queue {

class StreamWriter;  // queue/spool/stream_writer.h; does the work
struct StreamBuffer;

class BodyStream {
 public:
  using OnRoom = void (*)(void* owner);
  using OnFinished = void (*)(void* owner, const core::Status& status);

  BodyStream() = default;
  BodyStream(const BodyStream&) = delete;
  BodyStream& operator=(const BodyStream&) = delete;
  // REQUIRES: idle or finished-and-appended.
  ~BodyStream();

  // Binds the callbacks: stream.Bind<&Conn::OnRoom, &Conn::OnFinished>(this), with
  //   void OnRoom();  void OnFinished(const core::Status&);
  // OnRoom: room() has become non-empty, or failed() true. Both come from Io's Turn or Store::Tick.
  template <auto Room, auto Finished, typename Owner>
  void Bind(Owner* target) {
    owner_ = target;
    on_room_ = [](void* o) { (static_cast<Owner*>(o)->*Room)(); };
    on_finished_ = [](void* o, const core::Status& s) { (static_cast<Owner*>(o)->*Finished)(s); };
  }

  bool active() const { return writer_ != nullptr; }
  // Where the next bytes go; empty: wait for OnRoom. Receive into it, then Advance by what came.
  // REQUIRES: filling.
  std::span<char> room();
  void Advance(size_t bytes);  // REQUIRES: bytes <= room().size()
  // Copies as much of `bytes` as there is room for; the rest is returned.
  std::string_view Write(std::string_view bytes);
  // No more bytes come. OnFinished is called (not inside) when all are durable, or with an error
  // after which only Abort is left. REQUIRES: filling.
  void Finish();
  // Gives everything back; no callback comes any more. Writes in flight end by themselves.
  void Abort();
  // A write failed: the message cannot be taken (451), Finish will say so; Abort at once if you
  // like.
  bool failed() const { return failed_; }
  uint64_t bytes() const { return bytes_; }
  // REQUIRES: finished. For MetaBuilder::SetExtents.
  std::span<const Extent> extents() const { return extents_; }

 private:
  friend class StreamWriter;
  friend struct StreamBuffer;

  StreamWriter* writer_ = nullptr;
  void* owner_ = nullptr;
  OnRoom on_room_ = nullptr;
  OnFinished on_finished_ = nullptr;
  StreamBuffer* filling_ = nullptr;  // the buffer that room() is in
  uint32_t filled_ = 0;              // bytes in it
  uint32_t crc_ = 0;                 // theirs
  uint32_t writing_ = 0;             // buffers of ours in flight or waiting for a segment
  uint32_t expected_ = 0;            // buffers, when it begins
  uint32_t promised_ = 0;            // buffers that it is still expected to ask for
  uint64_t bytes_ = 0;
  std::vector<Extent> extents_;  // in order of the body; complete when finished
  core::ListLink link_;          // waits for a buffer
  bool begun_ = false;           // it has had a buffer
  bool finishing_ = false;
  bool finished_ = false;
  bool failed_ = false;
  core::Status error_;
};

}  // namespace outbox::queue

#endif  // OUTBOX_QUEUE_SPOOL_BODY_STREAM_H_
